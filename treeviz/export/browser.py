"""What only a browser draws: pictures and films of the stage, saved by its own dialog in a Chromium without a window.

A replay of one moment is opened, and its dialog is used as a reader would use it. So a file from the command line is
the one that the button “picture” saves, and there is no second code that draws a tree. The page is given to the browser
directly: there is no server, and no file to remove.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Download, Page

Theme = Literal["light", "dark"]
# What can be drawn, and how the stage's dialog calls it.
PICTURES = {"tree": "tree", "atlas": "atlas", "lists": "lists", "neurons": "plane", "output": "output"}
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_PAGE = "http://localhost/"  # a secure address, as the encoders of films want; nothing listens there
_WITHOUT = "or use the button “picture” of the stage, in the app or in a replay, which saves the same"


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome: the one named in CHROMIUM, on the PATH, or Playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = [path for name in _NAMES if (path := shutil.which(name))]
    found += [place for place in _PLACES if Path(place).exists()]
    return found[0] if found else _playwright_chromium()


def _playwright_chromium() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def require_browser() -> str:
    """Return the path of a browser that can be driven; ValueError says what is missing and how to get it."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        raise ValueError(
            f"a browser draws this, and Playwright, which drives it, is missing: pip install 'treeviz[film]', "
            f"{_WITHOUT}"
        ) from None
    path = find_chromium()
    if path is None or not shutil.which(path):
        where = "was found" if path is None else f"is at {path}, as CHROMIUM says"
        raise ValueError(
            f"no Chromium or Chrome {where}: install one, for instance by python -m playwright install chromium, "
            f"name its program in CHROMIUM, {_WITHOUT}"
        )
    return path


def save_picture(replay: str, what: str, form: Literal["svg", "2", "4"], theme: Theme) -> bytes:
    """Return what the dialog of a replay saves: one of `PICTURES`, as SVG or as PNG so many times as large.

    Raises ValueError if there is no browser, or the stage has no such picture at this moment.
    """
    with _opened(replay, theme) as page:
        _choose(page, what)
        page.locator("[data-part=picture-form]").select_option(form)
        with page.expect_download() as download:
            page.locator("[data-part=picture-save]").click()
        return download.value.path().read_bytes()


def save_film(
    replay: str,
    what: str,
    span: Literal["phase", "iteration", "scene"],
    form: Literal["gif", "webm"],
    theme: Theme,
    on_step: Callable[[int, int], object] = lambda done, total: None,
) -> bytes:
    """Return the film that the dialog of a replay makes of one of `PICTURES`, through what is on show.

    `on_step` is called from time to time with the number of frames made so far, and of all. Raises ValueError if there
    is no browser, the stage has no such picture, or the browser cannot write the film.
    """
    with _opened(replay, theme) as page:
        _choose(page, what)
        page.locator("[data-part=film-span]").select_option(span)
        page.locator("[data-part=film-form]").select_option(form)
        saved: list[Download] = []
        page.on("download", lambda download: saved.append(download))
        page.locator("[data-part=film-make]").click()
        progress, words = page.locator("[data-part=film-progress]"), page.locator("[data-part=film-words]")
        while progress.is_visible():
            on_step(*progress.evaluate("({ value, max }) => [value, max]"))
            page.wait_for_timeout(100)
        if "failed" in (words.get_attribute("class") or ""):
            raise ValueError(words.inner_text())
        return (saved[0] if saved else page.wait_for_event("download")).path().read_bytes()


def paint_picture(svg: str, scale: int) -> bytes:
    """Return an SVG picture as PNG, so many times as large as it says it is."""
    with started_browser() as browser, browser.new_page(device_scale_factor=scale) as page:
        page.set_content(svg)
        return page.locator("svg").screenshot()


@contextmanager
def _opened(replay: str, theme: Theme) -> Iterator["Page"]:
    """Open a replay, and its dialog."""
    with started_browser() as browser:
        size = {"width": 1400, "height": 900}
        page = browser.new_page(viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.route(_PAGE, lambda route: route.fulfill(body=replay, content_type="text/html; charset=utf-8"))
        page.goto(_PAGE)
        page.locator(".stage[aria-busy=false] .node").first.wait_for()
        page.locator("[data-part=take-picture]").click()
        yield page


@contextmanager
def started_browser() -> Iterator["Browser"]:
    """Start a browser, and close it in the end."""
    path = require_browser()
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        except Error as error:
            reason = error.message.splitlines()[0]
            raise ValueError(f"{path} could not be started ({reason}): name another one in CHROMIUM") from error
        with browser:
            yield browser


def _choose(page: "Page", what: str) -> None:
    """Choose a picture in the dialog."""
    menu = page.locator("[data-part=picture-what]")
    values = menu.locator("option").evaluate_all("options => options.map(({ value }) => value)")
    if PICTURES[what] not in values:
        offered = [name for name, value in PICTURES.items() if value in values]
        raise ValueError(f"the stage has no picture of the {what} here: choose among {', '.join(offered)}")
    menu.select_option(PICTURES[what])
