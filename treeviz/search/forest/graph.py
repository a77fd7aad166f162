"""One tree as a NetworkX graph, to be analysed or drawn elsewhere. Importing this imports networkx, which is slow."""

import networkx as nx
import numpy as np

from treeviz.model.types import Floats

# A graph of Python objects takes about a kilobyte a node.
_LARGEST_GRAPH = 1 << 18


def tree_graph(values: Floats, threshold: float | None = None) -> nx.DiGraph:
    """Return one tree as a NetworkX graph, edges from parent to child, to be analysed or drawn elsewhere.

    Parameters
    ----------
    values : (2m,) the values of its nodes, by heap number; entry 0 is unused.
    threshold : of a query; the nodes then carry a mark of where it goes.

    Returns
    -------
    A DiGraph whose nodes are the heap numbers 1..2m - 1, in that order, with the attributes `value`, `level` (0 at the
    root), `neuron` (at leaves only, since file formats for graphs know no None) and, with a threshold, `state`:
    "firing" (a leaf >= the threshold), "entered" (an inner node >= the threshold: the search goes on below), "pruned"
    (entered, but smaller), or "not entered".

    Raises
    ------
    ValueError
        If the threshold is not a number, or the tree has more than 2^18 leaves.

    Notes
    -----
    Cost: about a kilobyte and some microseconds a node.
    """
    if threshold is not None and np.isnan(threshold):
        raise ValueError("threshold must be a number, or None; got NaN")
    m = values.size // 2
    if m > _LARGEST_GRAPH:
        raise ValueError(
            f"a tree of {m:,} leaves is too large for a graph of Python objects, at most {_LARGEST_GRAPH:,} are "
            "allowed: use treeviz.stage.pictures.detail.draw_tree for the part of it that matters"
        )
    values_of = values.tolist()
    graph = nx.DiGraph()
    for node in range(1, 2 * m):
        graph.add_node(node, value=values_of[node], level=node.bit_length() - 1)
        if node >= m:
            graph.nodes[node]["neuron"] = node - m
        if threshold is None:
            continue
        if values_of[node] >= threshold:  # then so are all nodes above it, and the search gets here
            state = "firing" if node >= m else "entered"
        else:
            state = "pruned" if node == 1 or values_of[node // 2] >= threshold else "not entered"
        graph.nodes[node]["state"] = state
    graph.add_edges_from((node // 2, node) for node in range(2, 2 * m))
    return graph
