"""Compiled loops of the forest, for forests large enough to be worth loading a compiler.

They do what `Forest.query_all` and `Forest.add_product` do in NumPy, bit for bit; tests hold the two together. Both
wait for memory most of the time, so both ask for rows before they need them, and neither allocates in its loops.
Importing this module imports numba (about half a second); the machine code is cached on disk, so compiling happens once
on a machine.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# Rows of neurons the repair looks ahead, and bytes of a cache line.
_AHEAD, _LINE = 6, 64


@intrinsic
def _prefetch(typing_context, values, row, offset):
    """Ask for the cache line `offset` bytes into a row of a two-dimensional array; never faults, returns nothing."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        row_bytes = cgutils.unpack_tuple(builder, array.strides)[0]
        byte_pointer = ir.IntType(8).as_pointer()
        start = builder.bitcast(array.data, byte_pointer)
        address = builder.gep(start, [builder.add(builder.mul(arguments[1], row_bytes), arguments[2])])
        flag = ir.IntType(32)
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte_pointer], ir.FunctionType(ir.VoidType(), [byte_pointer, flag, flag, flag])
        )
        builder.call(prefetch, [address, flag(0), flag(3), flag(1)])  # for reading, to be kept in all caches, data
        return context.get_dummy_value()

    return types.void(values, row, offset), generate


@njit(cache=True)
def _deepest_level(num_nodes):
    """Level of the last of the nodes 1..num_nodes - 1 of a heap; the root is on level 0."""
    level = 0
    while (2 << level) < num_nodes:
        level += 1
    return level


@njit(cache=True, nogil=True)
def search_subtrees(values, threshold, first_root, last_root, root_level, queue, places):
    """Find the leaves below some nodes of one level that are >= the threshold, in all trees at once.

    Takes the subtrees of the nodes first_root..last_root - 1, on `root_level`, one after the other, each breadth first.
    A row is entered if its parent is >= the threshold in some tree: the walk is the union of the n queries. The places
    node * n + tree of the leaves found are written to `places`; `queue` is room to work in, for the largest subtree.

    Returns the number of places, or -1 if `places` is too short, and visited (levels, n), the nodes entered below the
    roots.
    """
    num_leaves, num_trees = values.shape[0] // 2, values.shape[1]
    pair_bytes = 2 * values.strides[0]
    visited = np.zeros((_deepest_level(values.shape[0]) + 1, num_trees), dtype=np.int64)
    num_places = 0
    for root in range(first_root, last_root):
        queue[0], head, tail = root, 0, 1
        below, level_below = 2 * root, root_level + 1  # the first node a level below the queue's head, and its level
        while head < tail and queue[head] < num_leaves:
            node = queue[head]
            head += 1
            if node >= below:  # no level is skipped: a node is in the queue because its parent was
                below, level_below = 2 * below, level_below + 1
            num_passed = 0
            for tree in range(num_trees):  # no branches: the compiler turns this into vector instructions
                passes = 1 if values[node, tree] >= threshold else 0
                visited[level_below, tree] += 2 * passes
                num_passed += passes
            if num_passed:
                queue[tail], queue[tail + 1] = 2 * node, 2 * node + 1
                tail += 2
                for offset in range(0, pair_bytes, _LINE):
                    _prefetch(values, 2 * node, offset)
        # Breadth first, every inner node comes before every leaf: what is left of the queue are the leaves entered.
        for index in range(head, tail):
            if num_places + num_trees > places.size:
                return -1, visited
            node = queue[index]
            for tree in range(num_trees):
                places[num_places] = node * num_trees + tree
                num_places += 1 if values[node, tree] >= threshold else 0  # what does not fire is overwritten
    return num_places, visited


@njit(cache=True, nogil=True)
def repair_subtrees(values, nodes, indptr, points, steps, basis, shallow, deep, root_level):
    """Add to the leaf rows of some subtrees and recompute the rows above them, up to the subtrees' roots.

    `nodes` are ascending leaves of the whole forest; leaf `nodes[u]` grows by sum_p steps[p] * basis[points[p]] over p
    in indptr[u]..indptr[u + 1]. The leaves of subtree k are `nodes[shallow[k]:shallow[k + 1]]` on the last level but
    one and `nodes[deep[k]:deep[k + 1]]` on the last; its root is on `root_level`. A subtree is finished before the next
    is begun, so one that fits in a core's cache is read from memory once. Other threads may repair other subtrees at
    the same time: no two share a row.

    Returns modified (levels, n), the nodes whose value changed, the number of rows written or recomputed, and the roots
    that changed.
    """
    # One function, without allocations in its loops: calls and allocations for every subtree took half of the time.
    num_trees, pair_bytes = values.shape[1], 2 * values.strides[0]
    deepest = _deepest_level(values.shape[0])
    modified = np.zeros((deepest + 1, num_trees), dtype=np.int64)
    changed_roots, num_roots = np.empty(shallow.size, dtype=np.int64), 0
    num_rows = shallow[-1] - shallow[0] + deep[-1] - deep[0]
    # Nodes whose parents are to be looked at, deepest first, and changed leaves that wait to join them a level higher.
    climbing = np.empty((1 << (deepest - root_level)) + 1, dtype=np.int64)
    waiting = np.empty_like(climbing)
    row = np.empty(num_trees)
    for subtree in range(shallow.size - 1):
        num_climbing, num_waiting = 0, 0
        for is_deep in (False, True):
            bounds, level = (deep, deepest) if is_deep else (shallow, deepest - 1)
            for index in range(bounds[subtree], bounds[subtree + 1]):
                if index + _AHEAD < nodes.size:
                    ahead = nodes[index + _AHEAD]
                    for offset in range(0, pair_bytes, _LINE):
                        _prefetch(values, ahead & ~1, offset)  # the leaf and its sibling
                        _prefetch(values, (ahead >> 1) & ~1, offset)  # their parent and its sibling
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
                    modified[level, tree] += differs
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
                    modified[level - 1, tree] += differs
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
    return modified, num_rows, changed_roots[:num_roots]


def warm_up():
    """Compile the loops, or load them from disk, for the types they are called with; the calls change nothing."""
    none, values = np.zeros(1, dtype=np.int64), np.zeros((2, 1))
    search_subtrees(values, 1.0, 1, 1, 0, none, none)
    repair_subtrees(values, none[:0], none, none[:0], np.zeros(0), np.zeros((1, 1)), none, none, 0)
