"""What pages say of each search: one table. A search without an entry is described by what is true of any."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchDescription:
    """How a search is spoken of.

    Attributes
    ----------
    title : what a run goes through, in charts: "trees".
    kept : what is built before the first iteration, and kept up to date.
    explanation : how an iteration goes, in Markdown, after a sentence that says what a datapoint's tree is.
    searches_trees : whether it searches the datapoints' trees, which the stage draws for any search.
    """

    title: str
    kept: str
    explanation: str
    searches_trees: bool = False


_DESCRIPTIONS: Mapping[str, SearchDescription] = {
    "forest": SearchDescription(
        title="trees",
        kept="the trees",
        explanation=(
            "An iteration *searches* each tree for the neurons that fire and *moves* those, which can change a part of "
            "every tree."
        ),
        searches_trees=True,
    ),
    "watch": SearchDescription(
        title="watch lists",
        kept="the lists",
        explanation=(
            "Here the trees are only drawn, and the method does not search them. Instead every datapoint has a *watch "
            "list*, of neurons whose leaf was at least b − **skin** at the start: no other neuron can fire while its "
            "weights have moved less than the skin. An iteration *reads* the firing neurons off the lists, *moves* "
            "them, and then *looks* only at those that may have come to b. A neuron that has moved farther than the "
            "skin is **promoted**: from then on it is on all lists."
        ),
    ),
    "table": SearchDescription(
        title="table",
        kept="the table",
        explanation=(
            "Here the trees are only drawn, and the method does not search them. Instead the inner products of the "
            "neurons that fire somewhere at the start stand in a flat *table*; the others never move, so they are "
            "left out. An iteration *reads* the whole table for the neurons that fire, *moves* those, and brings their "
            "rows of the table up to date."
        ),
    ),
    "dense-sparse": SearchDescription(
        title="dense products",
        kept="nothing",
        explanation=(
            "Here the trees are only drawn, and the method does not search them. Every iteration computes all inner "
            "products again and compares them with b. It then *moves* the neurons that fire, and keeps nothing else."
        ),
    ),
}


def describe_search(search: str) -> SearchDescription:
    """Return the description of a search by its name in `model.config.SEARCHES`."""
    return _DESCRIPTIONS.get(search) or SearchDescription(
        title=f"{search} search",
        kept="what the search keeps",
        explanation=(
            f"Here the trees are only drawn, and the method does not search them: which neurons fire is found by the "
            f"search “{search}”. An iteration *moves* those neurons, and no others."
        ),
    )
