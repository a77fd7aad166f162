"""What a page declares of itself, and how pages are found: a page is a module in this folder with a `PAGE`."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import treeviz.pages


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the app.

    Attributes
    ----------
    title : in the navigation.
    path : in the address; empty for the page that the app opens on.
    order : its place in the navigation; the lowest is the first.
    render : draws the page. It gets the `Settings` of the sidebar, unless `needs_data` is False.
    needs_data : whether it shows the data chosen in the sidebar; if so, it is drawn only when some are chosen.
    render_rest : draws what the page shows while none are chosen.
    names : what it reads of an address itself; all other names there are widgets'.
    """

    title: str
    path: str
    order: int
    render: Callable[..., None]
    needs_data: bool = True
    render_rest: Callable[[], None] = lambda: None
    names: tuple[str, ...] = ()


def find_pages() -> tuple[Page, ...]:
    """Return the pages in the order of the navigation; ValueError unless paths differ and one of them is empty."""
    names = [info.name for info in pkgutil.iter_modules(treeviz.pages.__path__)]
    modules = [importlib.import_module(f"{treeviz.pages.__name__}.{name}") for name in names]
    pages = sorted((module.PAGE for module in modules if hasattr(module, "PAGE")), key=lambda page: page.order)
    paths = [page.path for page in pages]
    if len(set(paths)) < len(paths) or "" not in paths:
        raise ValueError(f"pages need different paths, one of them empty; found {', '.join(map(repr, paths))}")
    return tuple(pages)
