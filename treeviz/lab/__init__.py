"""The Lab: questions that readers of the paper asked, answered by experiments that can be repeated."""
