"""Ctrl-C before a command has begun: nothing is there to be kept, so the process ends at once.

Reading the libraries takes up to a second. An exception that comes in the middle of one may be taken for an import that
failed, so until all are read an interrupt raises none. The exit code is 128 and the number of the signal, as later on.
"""

import os
import signal
from typing import NoReturn


def end_at_once() -> None:
    """From now on end the process where Ctrl-C comes, unless it was started to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From now on raise KeyboardInterrupt where Ctrl-C comes, for the command to answer."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: object) -> NoReturn:
    os._exit(130)
