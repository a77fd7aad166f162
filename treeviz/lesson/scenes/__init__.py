"""Lessons in scenes: files that lead a reader through moments of runs, with questions; see README.md here."""
