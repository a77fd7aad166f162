"""Solving the Gauss-Newton system G g = residual, G = J J^T (algorithm.md §3, steps 3 to 6).

Two solvers give the same answer. `solve_exact` forms G and factorizes it. `solve_sketched` never forms G: it makes a
preconditioner from the QR factors of a sketch of J^T and runs conjugate gradient. Both handle a singular G in the
minimum-norm least-squares sense and say so in their report; neither raises for it.
"""
