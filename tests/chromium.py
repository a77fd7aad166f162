"""Find a Chromium on this machine, or install one: `python tests/chromium.py`.

Browser tests drive whatever `find_chromium` returns. Installing tries the system's packages first (Debian and Ubuntu,
as root or by password-less sudo), then Playwright's own download.
"""

import sys

import debian

from treeviz.export.browser import find_chromium


def install() -> None:
    """Install Chromium by the first way that works here."""
    if debian.install("chromium") and find_chromium():
        return
    debian.run([sys.executable, "-m", "playwright", "install", "chromium"])


def main() -> None:
    """Make sure there is a Chromium, or say what to do."""
    if not find_chromium():
        install()
    path = find_chromium()
    if not path:
        sys.exit("No Chromium could be found or installed: install Chromium or Chrome, or set CHROMIUM to its path.")
    print(f"Chromium for the browser tests: {path}")


if __name__ == "__main__":
    main()
