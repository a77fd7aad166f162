"""The lesson: facts recomputed from a run, the text that states them, and its charts."""
