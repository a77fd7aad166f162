"""Training: one iteration after another, what each leaves behind, and checks of it."""
