"""Compiled loops of the watch lists, for networks large enough to be worth loading a compiler.

They do what `screening.pairs_from_blocks` and `numpy_look` do in NumPy, and spend as many operations as those count;
tests hold them together. Importing this
module imports numba; see `compiled.load_loops`.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from treeviz.search.watch.numpy_look import FEW

# Rows looked ahead: what is known of them is asked for first, and when it is there, their pairs.
_FAR, _NEAR = 24, 12
# What an index cannot have more of: so the compiler sees that none is negative, and need not count from the end.
_PLAIN, _SHORT = (1 << 40) - 1, (1 << 15) - 1


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
    found = np.empty(X.shape[0] + 1, dtype=np.int64)
    least, enough = np.float32(low - margin), np.float32(high - margin)
    # Rounding the bounds to single precision must not raise them.
    least, enough = np.nextafter(least, np.float32(-np.inf)), np.nextafter(enough, np.float32(-np.inf))
    for row in range(rounded.shape[0]):
        may_fire = 0
        for point in range(rounded.shape[1]):  # no branches: the compiler turns this into vector instructions
            may_fire |= 1 if rounded[row, point] >= enough else 0
        if not may_fire:
            continue
        num_found = 0
        for point in range(rounded.shape[1]):  # nor here: what is too small is overwritten
            found[num_found] = point
            num_found += rounded[row, point] >= least
        first, fires = num_pairs, False
        for one in range(num_found):
            value = _inner_product(rows, row, X, found[one])
            points[num_pairs], values[num_pairs] = found[one], value
            num_pairs += value >= low
            fires |= value >= high
        if fires:
            neurons[num_rows], sizes[num_rows] = row, num_pairs - first
            num_rows += 1
        else:
            num_pairs = first
    return num_rows, num_pairs


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def sort_pairs(first_row, last_row, indptr, codes, products):
    """Sort the pairs of some rows by their inner products, the largest first; ties stay as they are."""
    for row in range(first_row, last_row):
        low = np.int64(indptr[row])
        for index in range(low + 1, np.int64(indptr[row + 1])):
            code, product = codes[index], products[index]
            place = index
            while place > low and products[place - 1] < product:
                codes[place], products[place] = codes[place - 1], products[place - 1]
                place -= 1
            codes[place], products[place] = code, product


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def find_due(blocks, block_rows, homes, lows, highs, rests, positions, due):
    """Write the rows whose home's position has left the interval (lows, highs) to `due`; return their number.

    Goes through some blocks of `block_rows` rows, and sets their `rests` to when the first of the others may be due.
    """
    num_due, clock = 0, positions[positions.size - 1]
    for at in range(blocks.size):
        block = blocks[at] & _PLAIN
        rest = np.inf
        for row in range(block * block_rows, min((block + 1) * block_rows, homes.size)):
            position = positions[np.int64(homes[row]) & _SHORT]
            ahead = min(position - lows[row], highs[row] - position)
            due[num_due] = row
            num_due += ahead <= 0.0  # no branch: what is not due is overwritten
            rest = min(rest, ahead if ahead > 0.0 else np.inf)
        rests[block] = _before(clock + rest)
    return num_due


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _combine(sums, gram, rows, factors, size):
    """Set `sums` (n,) to the first `size` of `rows` of `gram` times `factors`: whole rows, in vector registers."""
    for point in range(sums.size):
        sums[point] = 0.0
    for one in range(size):
        row, factor = rows[one] & _SHORT, factors[one]
        for point in range(sums.size):
            sums[point] += factor * gram[row, point]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def look_at(
    rows, indptr, codes, products, spent, depths, signs, homes, lows, highs, rests, block_rows,
    gram, nearest, positions, scale, threshold, skin, least_guard, of_length, of_square, nearly,
    overlaps, offsets, turnover, breached,
):  # fmt: skip
    """Look at some neurons: bring what they contribute up to date and find when they are due next.

    The arrays are those of `pairs.PairLists`; `overlaps` (n, n) and `offsets` (n,) take the changes of C and of the
    outputs' constant part, `turnover` (n,) the sizes of all that is summed for the latter. What is computed of a row is
    certain up to `least_guard` + `of_length` times its length, and for a squared drift `of_square` times the length's
    square. Rows that have drifted beyond the skin are left as they are and written to `breached`.

    Pairs behind the depth of their row have never fired. What moves their inner products is less than the *sway*, the
    sum of |c_rj| times `nearest[j]`, the largest |K_jp| of another point p; and their initial products descend. So the
    first of them that cannot have come to the threshold ends the list, and it is the same with due times.

    Returns the number of rows breached, of those whose firing set changed, and of the multiply-adds spent.
    """
    num_points = gram.shape[0]
    clock = positions[num_points]
    # One place more than is needed: what is not kept is written too, and overwritten. Guessing wrong costs more.
    used, used_by = np.empty(num_points + 1, dtype=np.int64), np.empty(num_points + 1)
    held, firing = np.empty(num_points + 1, dtype=np.int64), np.empty(num_points + 1, dtype=np.int64)
    points, values = np.empty(num_points + 1, dtype=np.int64), np.empty(num_points + 1)
    shifts, reaches = np.empty(num_points), np.empty(num_points)
    ones, sizes = np.ones(num_points + 1), np.abs(gram)
    num_breached, num_changed, work = 0, 0, 0
    for at in range(rows.size):
        if at + _FAR < rows.size:
            ahead = rows[at + _FAR]
            _prefetch(indptr, ahead)
            _prefetch(depths, ahead)
            _prefetch(signs, ahead)
        if at + _NEAR < rows.size:
            first = np.int64(indptr[rows[at + _NEAR]])
            _prefetch(codes, first)
            _prefetch(products, first)
            _prefetch(spent, first)
        row = rows[at] & _PLAIN
        low, factor, depth = np.int64(indptr[row]) & _PLAIN, -signs[row] * scale, np.int64(depths[row]) & _SHORT
        size = np.int64(indptr[row + 1]) - low

        # The short way, for most neurons: it fired on its home alone, now fires nowhere, and rests from now on.
        if depth == 1 and codes[low] >= 0:
            home = np.int64(codes[low]) & _SHORT
            coefficient = spent[low] + positions[home]
            drift = scale * abs(coefficient)
            guard = least_guard + of_length * drift
            is_near = (drift < nearly * skin) | (size == num_points)
            is_alone = size == 1 or products[low + 1] + nearest[home] * drift + guard < threshold
            if is_near and is_alone and products[low] + factor * coefficient * gram[home, home] < threshold:
                offsets[home] += factor * (products[low] + factor * spent[low] * gram[home, home] - threshold)
                turnover[home] += scale * (abs(products[low]) + scale * abs(spent[low]) + abs(threshold))
                overlaps[home, home] -= 1
                codes[low], spent[low] = ~home, coefficient
                homes[row], lows[row], highs[row] = num_points, -np.inf, np.inf
                num_changed += 1
                work += 6
                continue

        # How far it has moved, and along which points.
        num_held, num_used, sway, length = 0, 0, 0.0, 0.0
        for k in range(depth):
            code = np.int64(codes[low + k])
            fires, point = code >= 0, (code ^ (code >> 63)) & _SHORT
            points[k] = point
            held[num_held] = k
            num_held += fires
            coefficient = spent[low + k] + (positions[point] if fires else 0.0)
            used[num_used], used_by[num_used] = point, coefficient
            num_used += coefficient != 0.0
            length += abs(coefficient)
            sway += scale * abs(coefficient) * nearest[point]
        guard = least_guard + of_length * scale * length
        work += depth
        sway += 2.0 * guard  # twice: of points opposite each other, one guard and the gap's would cancel to a tie
        spare = np.inf
        if size < num_points:
            square = 0.0
            for one in range(num_used):
                inner = 0.5 * used_by[one] * gram[used[one], used[one]]
                for other in range(one):
                    inner += used_by[other] * gram[used[one], used[other]]
                square += 2.0 * used_by[one] * inner
            work += num_used * num_used
            spare = skin - scale * np.sqrt(max(square + of_square * length * length, 0.0))
            if spare < 0.0:
                breached[num_breached] = row
                num_breached += 1
                continue
            spare = max(spare - guard, 0.0)

        # Where it fires now. If much is summed for many pairs, it is summed for all datapoints at once.
        is_wide = num_used > FEW and 4 * size > num_points
        if is_wide:
            _combine(shifts, gram, used, used_by, num_used)
        num_firing, num_seen, changes = 0, 0, False
        while num_seen < size and (num_seen < depth or products[low + num_seen] + sway >= threshold):
            code = np.int64(codes[low + num_seen])
            point, shift = (code ^ (code >> 63)) & _SHORT, 0.0
            points[num_seen] = point
            if is_wide:
                shift = shifts[point]
            else:
                for one in range(num_used):
                    shift += used_by[one] * gram[used[one], point]
            value = products[low + num_seen] + factor * shift
            values[num_seen] = value
            changes |= (value >= threshold) != (code >= 0)
            firing[num_firing] = num_seen
            num_firing += value >= threshold
            num_seen += 1
        work += num_seen + (num_used * num_points if is_wide else num_seen * num_used)
        if changes:
            num_changed += 1
            work += _contribute(
                -1, held, num_held, low, depth, factor, threshold, points, products, spent, gram,
                overlaps, offsets, turnover,
            )  # fmt: skip
            for one in range(num_held):
                k = held[one]
                spent[low + k] += positions[points[k]]
                codes[low + k] = ~points[k]
            for one in range(num_firing):
                k = firing[one]
                spent[low + k] -= positions[points[k]]
                codes[low + k] = points[k]
                depth = max(depth, k + 1)
            depths[row] = depth
            work += _contribute(
                1, firing, num_firing, low, depth, factor, threshold, points, products, spent, gram,
                overlaps, offsets, turnover,
            )  # fmt: skip

        # When it is due next.
        if num_firing == 0:
            homes[row], lows[row], highs[row] = num_points, -np.inf, np.inf
        elif num_firing == 1:
            # Only its point's total moves this neuron: how far it may go, in units of length, to either side.
            home = points[firing[0]]
            downward = upward = spare
            for k in range(size):
                if k >= depth and products[low + k] + sway + nearest[home] * max(downward, upward) < threshold:
                    break
                if k >= num_seen:
                    code, shift = np.int64(codes[low + k]), 0.0
                    points[k] = (code ^ (code >> 63)) & _SHORT
                    if is_wide:
                        shift = shifts[points[k]]
                    else:
                        for one in range(num_used):
                            shift += used_by[one] * gram[used[one], points[k]]
                    values[k] = products[low + k] + factor * shift
                    work += 1 if is_wide else num_used + 1
                work += 1
                slope, gap = gram[home, points[k]], threshold - values[k]
                far = max(abs(gap) - guard, 0.0)
                way = far / (abs(slope) + 1e-300)
                is_upward = (gap > 0.0) == (slope > 0.0)
                upward = min(upward, way if is_upward or far == 0.0 else np.inf)
                downward = min(downward, np.inf if is_upward and far > 0.0 else way)
            if factor < 0.0:
                downward, upward = upward, downward
            homes[row] = home
            lows[row] = _rounded_up(positions[home] - downward / scale)
            highs[row] = _before(positions[home] + upward / scale)
            rests[row // block_rows] = min(rests[row // block_rows], _before(clock + min(downward, upward) / scale))
        else:
            # No total moves farther than the clock advances.
            closest, together = spare / num_firing, 0.0
            for one in range(num_firing):
                held[one] = points[firing[one]]
                together += nearest[held[one]]
            if is_wide:
                _combine(reaches, sizes, held, ones, num_firing)
                work += num_firing * num_points
            for k in range(size):
                if k >= depth and products[low + k] + sway + together * closest < threshold:
                    break
                if k >= num_seen:
                    code, shift = np.int64(codes[low + k]), 0.0
                    points[k] = (code ^ (code >> 63)) & _SHORT
                    if is_wide:
                        shift = shifts[points[k]]
                    else:
                        for one in range(num_used):
                            shift += used_by[one] * gram[used[one], points[k]]
                    values[k] = products[low + k] + factor * shift
                    work += 1 if is_wide else num_used + 1
                work += 1 if is_wide else num_firing + 1
                reach = 0.0
                if is_wide:
                    reach = reaches[points[k]]
                else:
                    for one in range(num_firing):
                        reach += sizes[held[one], points[k]]
                closest = min(closest, max(abs(values[k] - threshold) - guard, 0.0) / (reach + 1e-300))
            homes[row], lows[row], highs[row] = num_points, -np.inf, _before(clock + closest / scale)
            rests[row // block_rows] = min(rests[row // block_rows], highs[row])
    return num_breached, num_changed, work


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _contribute(
    sign, chosen, size, low, depth, factor, threshold, points, products, spent, gram, overlaps, offsets, turnover,
):  # fmt: skip
    """Add what a neuron that fires on the chosen pairs is to C and to the offsets, or take it away; count its work."""
    for one in range(size):
        k = chosen[one]
        point, shift, way = points[k], 0.0, 0.0
        for other in range(depth):
            part = spent[low + other] * gram[points[other], point]
            shift += part
            way += abs(part)
        offsets[point] -= sign * factor * (products[low + k] + factor * shift - threshold)
        turnover[point] += abs(factor) * (abs(products[low + k]) + abs(factor) * way + abs(threshold))
        for other in range(size):
            overlaps[point, points[chosen[other]]] += sign
    return size * (size + 2 * depth)


@njit(cache=True, nogil=True, error_model="numpy")
def list_firing(neurons, starts, depths, codes, listed, firsts, points):
    """List who fires: neurons to `listed`, and their points, ascending, to `points` from `firsts[u]` on.

    The pairs of row r that ever fired are among the `depths[r]` from `starts[r]` on. Returns how many neurons and pairs
    were listed. One place more than is needed is written of each array: what is not kept is overwritten.
    """
    num_rows, num_pairs = 0, 0
    for row in range(neurons.size):
        first, low, depth = num_pairs, np.int64(starts[row]) & _PLAIN, np.int64(depths[row]) & _SHORT
        # The short ways, for most rows: no branches. A code below 0 is that of a pair that does not fire.
        if depth == 1:
            points[num_pairs] = codes[low]
            num_pairs += 1 if codes[low] >= 0 else 0
        elif depth == 2:
            one, other = np.int64(codes[low]), np.int64(codes[low + 1])
            points[num_pairs] = min(one, other)
            num_pairs += 1 if min(one, other) >= 0 else 0
            points[num_pairs] = max(one, other)
            num_pairs += 1 if max(one, other) >= 0 else 0
        else:
            for k in range(low, low + depth):
                code = np.int64(codes[k])
                if code >= 0:
                    place = num_pairs
                    while place > first and points[place - 1] > code:
                        points[place] = points[place - 1]
                        place -= 1
                    points[place] = code
                    num_pairs += 1
        listed[num_rows], firsts[num_rows] = neurons[row], first
        num_rows += 1 if num_pairs > first else 0
    firsts[num_rows] = num_pairs
    return num_rows, num_pairs


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _rounded_up(bound):
    """Round to single precision, never down, and never to an infinity that was a number."""
    if bound == -np.inf:
        return np.float32(bound)
    bound = max(bound, -1e38)
    return np.float32(bound + abs(bound) * 1e-7 + 1e-37)  # rounding to nearest takes back less than 6e-8 of it


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _before(bound):
    """Round to single precision, never up, and never to an infinity that was a number."""
    return -_rounded_up(-bound)


def warm_up():
    """Compile the loops, or load them from disk, for the types they are called with; the calls change nothing."""
    floats, ints, one = np.empty(0), np.empty(0, dtype=np.int64), np.zeros((1, 1))
    codes, signs, singles = np.empty(0, dtype=np.int16), np.empty(0, dtype=np.int8), np.empty(0, dtype=np.float32)
    some, counts, position = np.empty(0, dtype=np.int32), np.zeros((1, 1), dtype=np.int64), np.zeros(2)
    screen(np.empty((0, 1), np.float32), np.empty((0, 1)), one, 0.0, 0.0, 0.0, ints, ints, some, floats)
    sort_pairs(0, 0, some, codes, floats)
    for small in (np.uint8, np.uint16):
        list_firing(ints, some, codes, codes, np.empty(1, np.int32), np.empty(1, np.int32), np.empty(1, small))
    find_due(ints, 1, codes, singles, singles, singles, position, ints)
    look_at(
        ints, some, codes, floats, floats, codes, signs, codes, singles, singles, singles, 1,
        one, floats, position, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, counts, floats, floats, ints,
    )  # fmt: skip
