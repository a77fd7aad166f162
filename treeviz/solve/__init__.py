"""Solving the Gauss-Newton system of one iteration."""
