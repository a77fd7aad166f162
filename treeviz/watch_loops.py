"""Compiled loops of the watch lists, for networks large enough to be worth loading a compiler.

They do what `screening.pairs_from_blocks` and `watch._look_at` do in NumPy; tests hold them together. Importing this
module imports numba; see `compiled.load_loops`.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# Rows looked ahead: what is known of them is asked for first, and when it is there, their pairs.
_FAR, _NEAR = 24, 12


@intrinsic
def _prefetch(typing_context, array, index):
    """Ask for the cache line of an element of a one-dimensional array; never faults, returns nothing."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, data.strides)[0]
        byte_pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.gep(builder.bitcast(data.data, byte_pointer), [builder.mul(arguments[1], stride)])
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte_pointer], ir.FunctionType(ir.VoidType(), [byte_pointer, flag, flag, flag])
        )
        builder.call(prefetch, [address, flag(1), flag(3), flag(1)])  # for writing, to be kept in all caches, data
        return context.get_dummy_value()

    return types.void(array, index), generate


# Sums in any order: several at a time in a vector register. Arrays are indexed, not sliced: a slice counts its uses,
# and two threads that count in one place wait for each other.
@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _inner_product(rows, row, X, point):
    total = 0.0
    for k in range(rows.shape[1]):
        total += rows[row, k] * X[point, k]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def screen(rounded, rows, X, low, high, margin, neurons, sizes, points, values):
    """Find the pairs >= low of the rows with a pair >= high, given products that are off by at most `margin`.

    `rounded` (k, n) are the products of `rows` (k, d) with X (n, d). Writes the rows kept and their number of pairs to
    `neurons` and `sizes`, the pairs to `points` and `values`; returns how many rows and pairs that were.
    """
    num_rows, num_pairs = 0, 0
    least, enough = np.float32(low - margin), np.float32(high - margin)
    # Rounding the bounds to single precision must not raise them.
    least, enough = np.nextafter(least, np.float32(-np.inf)), np.nextafter(enough, np.float32(-np.inf))
    for row in range(rounded.shape[0]):
        may_fire = 0
        for point in range(rounded.shape[1]):  # no branches: the compiler turns this into vector instructions
            may_fire |= 1 if rounded[row, point] >= enough else 0
        if not may_fire:
            continue
        first, fires = num_pairs, False
        for point in range(rounded.shape[1]):
            if rounded[row, point] >= least:
                value = _inner_product(rows, row, X, point)
                if value >= low:
                    points[num_pairs], values[num_pairs] = point, value
                    num_pairs += 1
                    fires |= value >= high
        if fires:
            neurons[num_rows], sizes[num_rows] = row, num_pairs - first
            num_rows += 1
        else:
            num_pairs = first
    return num_rows, num_pairs


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def find_due(homes, lows, highs, positions, due):
    """Write the rows whose home's position has left the interval (lows, highs) to `due`; return their number."""
    num_due = 0
    for row in range(homes.size):
        position = positions[homes[row]]
        due[num_due] = row
        num_due += (position <= lows[row]) | (position >= highs[row])  # no branch: what is not due is overwritten
    return num_due


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _combine(sums, gram, rows, factors, size):
    """Set `sums` (n,) to the first `size` of `rows` of `gram` times `factors`: whole rows, in vector registers."""
    for point in range(sums.size):
        sums[point] = 0.0
    for one in range(size):
        row, factor = rows[one], factors[one]
        for point in range(sums.size):
            sums[point] += factor * gram[row, point]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def look_at(
    rows, indptr, codes, anchors, spent, signs, homes, lows, highs,
    gram, positions, scale, threshold, skin, guard, overlaps, offsets, breached,
):  # fmt: skip
    """Look at some neurons: bring what they contribute up to date and find when they are due next.

    The arrays are those of `watch._Lists`; `overlaps` (n, n) and `offsets` (n,) take the changes of C and of the
    outputs' constant part. Rows that have drifted beyond the skin are left as they are and written to `breached`.

    Returns the number of those, of the rows whose firing set changed, and of the multiply-adds spent.
    """
    num_points = gram.shape[0]
    # One place more than is needed: what is not kept is written too, and overwritten. Guessing wrong costs more.
    held, held_at = np.empty(num_points + 1, dtype=np.int64), np.empty(num_points + 1, dtype=np.int64)
    used, used_by = np.empty(num_points + 1, dtype=np.int64), np.empty(num_points + 1)
    values, sums = np.empty(num_points), np.empty(num_points)
    num_breached, num_changed, work = 0, 0, 0
    for at in range(rows.size):
        if at + _FAR < rows.size:
            ahead = rows[at + _FAR]
            _prefetch(indptr, ahead)
            _prefetch(signs, ahead)
            _prefetch(homes, ahead)
            _prefetch(lows, ahead)
            _prefetch(highs, ahead)
        if at + _NEAR < rows.size:
            first, last = np.int64(indptr[rows[at + _NEAR]]), np.int64(indptr[rows[at + _NEAR] + 1])
            _prefetch(codes, first)
            for index in range(first, last, 4):
                _prefetch(anchors, index)
        row = rows[at]
        low, high, factor = np.int64(indptr[row]), np.int64(indptr[row + 1]), -signs[row] * scale
        num_held, num_used = 0, 0
        for index in range(low, high):
            code = np.int64(codes[index])
            fires, point = code >= 0, max(code, ~code)
            held[num_held], held_at[num_held] = point, index
            num_held += fires
            coefficient = spent[index] + (positions[point] if fires else 0.0)
            used[num_used], used_by[num_used] = point, coefficient
            num_used += coefficient != 0.0
        is_wide = num_held > 2 and 4 * (high - low) > num_points
        spare = np.inf
        if high - low < num_points:
            square = 0.0
            if is_wide:
                _combine(sums, gram, used, used_by, num_used)
                for one in range(num_used):
                    square += used_by[one] * sums[used[one]]
            else:
                for one in range(num_used):
                    for other in range(num_used):
                        square += used_by[one] * used_by[other] * gram[used[one], used[other]]
            spare = skin - scale * np.sqrt(max(square, 0.0))
            work += num_used * num_used
        if spare < 0.0:
            breached[num_breached] = row
            num_breached += 1
            continue
        if is_wide:
            for one in range(num_held):
                used_by[one] = positions[held[one]]
            _combine(sums, gram, held, used_by, num_held)
        changes = False
        for index in range(low, high):
            code, shift = np.int64(codes[index]), 0.0
            point = max(code, ~code)
            if is_wide:
                shift = sums[point]
            else:
                for one in range(num_held):
                    shift += positions[held[one]] * gram[held[one], point]
            value = anchors[index] + factor * shift
            values[index - low] = value
            changes |= (value >= threshold) != (code >= 0)
        work += (high - low) * (num_held + 1)
        if changes:
            num_changed += 1
            for one in range(num_held):
                offsets[held[one]] += factor * (anchors[held_at[one]] - threshold)
                for other in range(num_held):
                    overlaps[held[one], held[other]] -= 1
            work += num_held * num_held
            num_held = num_used = 0
            for index in range(low, high):
                code, now = np.int64(codes[index]), values[index - low] >= threshold
                point = max(code, ~code)
                used[num_used] = point
                used_by[num_used] = positions[point] if now else -positions[point]
                num_used += now != (code >= 0)
                spent[index] += positions[point] if code >= 0 else 0.0
                spent[index] -= positions[point] if now else 0.0
                codes[index] = point if now else ~point
                held[num_held], held_at[num_held] = point, index
                num_held += now
            if is_wide:  # few of many have changed
                for one in range(num_used):
                    for point in range(num_points):
                        sums[point] += used_by[one] * gram[used[one], point]
            for index in range(low, high):
                code, shift = np.int64(codes[index]), 0.0
                point = max(code, ~code)
                if is_wide:
                    shift = sums[point]
                else:
                    for one in range(num_held):
                        shift += positions[held[one]] * gram[held[one], point]
                anchors[index] = values[index - low] - factor * shift
            for one in range(num_held):
                offsets[held[one]] -= factor * (anchors[held_at[one]] - threshold)
                for other in range(num_held):
                    overlaps[held[one], held[other]] += 1
            work += (high - low) * (num_held + 1) + num_held * num_held
        if num_held == 1:
            # Only its point's total moves this neuron: how far it may go, in units of length, to either side.
            home = held[0]
            downward = upward = spare
            for index in range(low, high):
                code = np.int64(codes[index])
                slope, gap = gram[home, max(code, ~code)], threshold - values[index - low]
                far = max(abs(gap) - guard, 0.0)
                way = far / (abs(slope) + 1e-300)
                is_upward = (gap > 0.0) == (slope > 0.0)
                upward = min(upward, way if is_upward or far == 0.0 else np.inf)
                downward = min(downward, np.inf if is_upward and far > 0.0 else way)
            if factor < 0.0:
                downward, upward = upward, downward
            homes[row] = home
            lows[row] = _rounded_up(positions[home] - downward / scale)
            highs[row] = -_rounded_up(-positions[home] - upward / scale)
        else:
            closest = spare
            for index in range(low, high):
                closest = min(closest, abs(values[index - low] - threshold) - guard)
            homes[row], lows[row], highs[row] = num_points, -np.inf, np.inf
            if num_held:
                highs[row] = -_rounded_up(-positions[num_points] - max(closest, 0.0) / num_held)
    return num_breached, num_changed, work


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _rounded_up(bound):
    """Round to single precision, never down, and never to an infinity that was a number."""
    if bound == -np.inf:
        return np.float32(bound)
    bound = max(bound, -1e38)
    return np.float32(bound + abs(bound) * 1e-7 + 1e-37)  # rounding to nearest takes back less than 6e-8 of it


def warm_up():
    """Compile the loops, or load them from disk, for the types they are called with; the calls change nothing."""
    floats, ints, one = np.empty(0), np.empty(0, dtype=np.int64), np.zeros((1, 1))
    codes, signs, singles = np.empty(0, dtype=np.int16), np.empty(0, dtype=np.int8), np.empty(0, dtype=np.float32)
    some, counts = np.empty(0, dtype=np.int32), np.zeros((1, 1), dtype=np.int64)
    screen(np.empty((0, 1), np.float32), np.empty((0, 1)), one, 0.0, 0.0, 0.0, ints, ints, some, floats)
    find_due(codes, singles, singles, floats, ints)
    halves = np.empty((0, 2))
    look_at(
        ints, some, codes, halves[:, 0], halves[:, 1], signs, codes, singles, singles,
        one, floats, 1.0, 0.0, 0.0, 0.0, counts, floats, ints,
    )  # fmt: skip
