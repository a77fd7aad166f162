"""Compiled loop of the forest's update, for forests large enough to be worth loading a compiler.

It does what `Forest.add_product` does in NumPy, bit for bit; tests hold the two together. Importing this module imports
numba (about half a second); the machine code is cached on disk, so compiling happens once on a machine.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def repair_subtree(  # type: ignore[no-untyped-def]
    values, nodes, indptr, points, steps, basis, shallow, deep, root_level
):
    """Add to the leaf rows of one subtree and recompute the rows above them, up to the subtree's root.

    `nodes` are ascending leaves of the whole forest; leaf `nodes[u]` grows by sum_p steps[p] * basis[points[p]] over p
    in indptr[u]..indptr[u + 1]. Those of the subtree are `nodes[shallow[0]:shallow[1]]` on the last level but one and
    `nodes[deep[0]:deep[1]]` on the last. The subtree's root is on `root_level`. Other subtrees may be repaired at the
    same time: no two share a row.

    Returns num_modified (n,), the number of rows written or recomputed, and whether the root changed.
    """
    waiting, num_modified = _add_to_leaves(values, nodes, indptr, points, steps, basis, shallow)
    climbing, num_changed = _add_to_leaves(values, nodes, indptr, points, steps, basis, deep)
    num_modified += num_changed
    num_rows = shallow[1] - shallow[0] + deep[1] - deep[0]
    level = 0
    while (2 << level) < values.shape[0]:
        level += 1  # in the end, that of the deepest leaves
    joined = False
    while level > root_level:
        level -= 1
        climbing, num_changed, num_recomputed = _recompute_parents(values, climbing)
        num_modified += num_changed
        num_rows += num_recomputed
        if not joined:
            climbing, joined = np.concatenate((climbing, waiting)), True
    return num_modified, num_rows, climbing.size > 0


@njit(cache=True, nogil=True)
def _add_to_leaves(values, nodes, indptr, points, steps, basis, span):  # type: ignore[no-untyped-def]
    """Change the leaf rows in `span`; return the nodes that changed in some tree, and how many did in each."""
    num_modified = np.zeros(values.shape[1], dtype=np.int64)  # made here: no alias keeps the loop from being vectorized
    changed_nodes, num_changed = np.empty(span[1] - span[0], dtype=np.int64), 0
    row = np.empty(values.shape[1])
    for index in range(span[0], span[1]):
        row[:] = 0.0
        for pair in range(indptr[index], indptr[index + 1]):  # the order of a sparse matrix product, for the same bits
            step, point = steps[pair], points[pair]
            for tree in range(values.shape[1]):
                row[tree] += step * basis[point, tree]
        node, changed = nodes[index], False
        for tree in range(values.shape[1]):
            stale = values[node, tree]
            fresh = stale + row[tree]
            differs = fresh != stale
            values[node, tree] = fresh
            num_modified[tree] += differs
            changed |= differs
        if changed:
            changed_nodes[num_changed] = node
            num_changed += 1
    return changed_nodes[:num_changed], num_modified


@njit(cache=True, nogil=True)
def _recompute_parents(values, children):  # type: ignore[no-untyped-def]
    """Recompute the parents of ascending `children`; return those that changed, counts per tree, their number."""
    num_modified = np.zeros(values.shape[1], dtype=np.int64)
    changed_nodes, num_changed = np.empty(children.size, dtype=np.int64), 0
    num_recomputed, last = 0, 0
    for child in children:
        parent = child // 2
        if parent == last:
            continue
        last, changed = parent, False
        num_recomputed += 1
        for tree in range(values.shape[1]):
            left, right = values[2 * parent, tree], values[2 * parent + 1, tree]
            fresh = left if left > right else right
            differs = fresh != values[parent, tree]
            values[parent, tree] = fresh
            num_modified[tree] += differs
            changed |= differs
        if changed:
            changed_nodes[num_changed] = parent
            num_changed += 1
    return changed_nodes[:num_changed], num_modified, num_recomputed
