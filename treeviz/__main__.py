"""What the command `treeviz` and `python -m treeviz` begin with: it answers Ctrl-C before anything else is read."""

from treeviz.interrupts import end_at_once


def main() -> None:
    """Run the command line."""
    end_at_once()
    from treeviz.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
