"""Links from the lesson to where something can be seen: a page, with settings chosen, and a moment of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# The forest and the exact solver are what the lesson is about; the stage must show the same run.
FOREST: Mapping[str, object] = {"search": "forest", "solver": "exact"}


@dataclass(frozen=True, slots=True)
class PageLink:
    """A button's link to a page.

    Attributes
    ----------
    label : on the button.
    page : path of the page, "" for the stage.
    moment : for the stage, as in an address.
    settings : of the sidebar and of the page, by widget key; the others stay as they are.
    """

    label: str
    page: str = ""
    moment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


def link_to_stage(phase: str, iteration: int = 0, label: str = "Show me on the stage", **settings: object) -> PageLink:
    """Return a link to a phase of an iteration in tree 0, with the lesson's own search and solver."""
    return PageLink(label, moment={"tree": "0", "it": str(iteration), "phase": phase}, settings={**FOREST, **settings})
