"""`python -m treeviz` does what the command `treeviz` does."""

from treeviz.cli import main

main(prog_name="python -m treeviz")
