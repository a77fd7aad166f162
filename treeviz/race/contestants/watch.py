"""Watch lists: the search that looks only at what may have changed, for Gauss-Newton and gradient descent."""

from treeviz.race.contestant import THIS_APP, Contestant, Trained

CONTESTANTS = (
    Contestant(
        key="watch",
        title="Watch lists",
        family="gauss-newton",
        about="Gauss–Newton with lists of the pairs that can fire before their neuron has moved far. A neuron is "
        "looked at again only when it may have come to the threshold; the firing sets are the same, by the triangle "
        "inequality.",
        start=Trained(method="gauss-newton", search="watch", solver="exact"),
        predict=None,
        preprocessing="m n d + L log n + n³",
        iteration="U/8 + due · pairs · t + n² + n³",
        exactness="yes",
        source=THIS_APP,
    ),
    Contestant(
        key="descent-watch",
        title="Gradient descent, watch lists",
        family="gradient-descent",
        about="Gradient descent with lists of the pairs that can fire before their neuron has moved far: the "
        "smaller the steps, the fewer neurons have to be looked at.",
        start=Trained(method="gradient-descent", search="watch", step_size=None),
        predict=None,
        preprocessing="m n d + L log n + n³",
        iteration="U/8 + due · pairs · t + n²",
        exactness="yes",
        source=THIS_APP,
    ),
)
