"""Compiled loop of the forest's repair, for forests large enough to be worth loading a compiler.

It does what `Forest.add_product` does in NumPy, bit for bit; tests hold the two together. Importing this module imports
numba (about half a second); the machine code is cached on disk, so compiling happens once on a machine.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def repair_subtrees(  # type: ignore[no-untyped-def]
    values, nodes, indptr, points, steps, basis, shallow, deep, root_level
):
    """Add to the leaf rows of some subtrees and recompute the rows above them, up to the subtrees' roots.

    `nodes` are ascending leaves of the whole forest; leaf `nodes[u]` grows by sum_p steps[p] * basis[points[p]] over p
    in indptr[u]..indptr[u + 1]. The leaves of subtree k are `nodes[shallow[k]:shallow[k + 1]]` on the last level but
    one and `nodes[deep[k]:deep[k + 1]]` on the last; its root is on `root_level`. A subtree is finished before the next
    is begun, so one that fits in a core's cache is read from memory once. Other threads may repair other subtrees at
    the same time: no two share a row.

    Returns num_modified (n,), the number of rows written or recomputed, and the roots that changed.
    """
    # One function, without allocations in its loops: calls and allocations for every subtree took half of the time.
    num_trees = values.shape[1]
    num_modified = np.zeros(num_trees, dtype=np.int64)
    changed_roots, num_roots = np.empty(shallow.size, dtype=np.int64), 0
    num_rows = shallow[-1] - shallow[0] + deep[-1] - deep[0]
    deepest = 0
    while (2 << deepest) < values.shape[0]:
        deepest += 1
    # Nodes whose parents are to be looked at, deepest first, and changed leaves that wait to join them a level higher.
    climbing = np.empty((1 << (deepest - root_level)) + 1, dtype=np.int64)
    waiting = np.empty_like(climbing)
    row = np.empty(num_trees)
    for subtree in range(shallow.size - 1):
        num_climbing, num_waiting = 0, 0
        for is_deep in (False, True):
            bounds = deep if is_deep else shallow
            for index in range(bounds[subtree], bounds[subtree + 1]):
                row[:] = 0.0
                for pair in range(indptr[index], indptr[index + 1]):  # in the order of a sparse product: the same bits
                    step, point = steps[pair], points[pair]
                    for tree in range(num_trees):
                        row[tree] += step * basis[point, tree]
                node, changed = nodes[index], False
                for tree in range(num_trees):
                    stale = values[node, tree]
                    fresh = stale + row[tree]
                    differs = fresh != stale
                    values[node, tree] = fresh
                    num_modified[tree] += differs
                    changed |= differs
                if changed and is_deep:
                    climbing[num_climbing] = node
                    num_climbing += 1
                elif changed:
                    waiting[num_waiting] = node
                    num_waiting += 1
        for level in range(deepest, root_level, -1):
            out, last = 0, 0
            for index in range(num_climbing):
                parent = climbing[index] // 2
                if parent == last:
                    continue
                last, changed = parent, False
                num_rows += 1
                for tree in range(num_trees):
                    left, right = values[2 * parent, tree], values[2 * parent + 1, tree]
                    fresh = left if left > right else right
                    differs = fresh != values[parent, tree]
                    values[parent, tree] = fresh
                    num_modified[tree] += differs
                    changed |= differs
                if changed:
                    climbing[out] = parent
                    out += 1
            if level == deepest:
                climbing[out : out + num_waiting] = waiting[:num_waiting]
                out += num_waiting
            num_climbing = out
        if num_climbing:
            changed_roots[num_roots] = climbing[0]
            num_roots += 1
    return num_modified, num_rows, changed_roots[:num_roots]
