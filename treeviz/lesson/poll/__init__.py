"""Class polls: what is asked, the answers while a poll is open, and their counts."""
