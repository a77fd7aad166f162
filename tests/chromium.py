"""Find a Chromium on this machine, or install one: `python tests/chromium.py`.

Browser tests drive whatever `find_chromium` returns. Installing tries the system's packages first (Debian and Ubuntu,
as root or by password-less sudo), then Playwright's own download.
"""

import os
import shutil
import sys
from pathlib import Path

import debian

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome: the one named in CHROMIUM, on the PATH, or Playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = [path for name in NAMES if (path := shutil.which(name))]
    found += [place for place in PLACES if Path(place).exists()]
    return found[0] if found else _playwright_chromium()


def _playwright_chromium() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


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
