"""What can be taken home from a run: its numbers as tables, and files that make or show it again."""
