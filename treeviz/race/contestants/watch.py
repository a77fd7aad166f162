"""Watch lists: the search that looks only at what may have changed, for Gauss-Newton and gradient descent."""

from treeviz.race.contestant import Contestant, trained
from treeviz.search.watch.engine import WatchEngine

CONTESTANTS = (
    Contestant(
        key="watch",
        title="Watch lists",
        family="gauss-newton",
        about="Gauss–Newton with lists of the pairs that can fire before their neuron has moved far. A neuron is "
        "looked at again only when it may have come to the threshold; the firing sets are the same, by the triangle "
        "inequality.",
        start=trained(method="gauss-newton", search="watch", solver="exact"),
        predict=None,
        required_bytes=WatchEngine.required_bytes,
    ),
    Contestant(
        key="descent-watch",
        title="Gradient descent, watch lists",
        family="gradient-descent",
        about="Gradient descent with lists of the pairs that can fire before their neuron has moved far: small steps "
        "leave nearly every neuron unlooked at.",
        start=trained(method="gradient-descent", search="watch", step_size=None),
        predict=None,
        required_bytes=WatchEngine.required_bytes,
    ),
)
