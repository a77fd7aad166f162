"""The two solvers against the singular value decomposition of J, which is formed here and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger
from treeviz.solve.exact import solve_exact
from treeviz.solve.jacobian import DenseJacobian, SparseJacobian
from treeviz.solve.sketched import SKETCH_BLOCKS, _conjugate_gradient, sketch_jacobian, solve_sketched


def unit_rows(rng, n, d):
    X = rng.standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def sparse(incidence, X):
    neurons, points = np.nonzero(incidence)
    return SparseJacobian(FiringSets.from_pairs(neurons, points, incidence.shape[1]), X, incidence.shape[0])


def dense(incidence, X):
    mask = incidence.astype(np.float32)
    return DenseJacobian(mask, (mask.T @ mask).astype(np.float64), X)


def explicit(incidence, X):
    """J with all output signs +1, (n, m * d); block (i, r) is x_i / sqrt(m) where neuron r fires on i."""
    m, n = incidence.shape
    J = np.zeros((n, m * X.shape[1]))
    for r, i in np.argwhere(incidence):
        J[i, r * X.shape[1] : (r + 1) * X.shape[1]] = X[i] / np.sqrt(m)
    return J


def spectrum(J):
    """Squared singular values of J relative to the largest, descending."""
    values = np.linalg.svd(J, compute_uv=False) ** 2
    return values / values[0] if values[0] else values


def minimum_norm(J, residual, cutoff=1e-13):
    """Solve J J^T g = residual in the minimum-norm least-squares sense through the factors of J alone."""
    U, sigma, _ = np.linalg.svd(J, full_matrices=False)
    keep = sigma**2 > cutoff * max(sigma[0] ** 2, 1e-300)
    return U[:, keep] @ ((U[:, keep].T @ residual) / sigma[keep] ** 2)


def by_sketch(jacobian, residual, seed=0, **options):
    return solve_sketched(jacobian, residual, Ledger(), np.random.default_rng(seed), **options)


def by_factors(jacobian, residual, **options):
    return solve_exact(jacobian, residual, Ledger(), **options)


def assert_close(actual, expected, tolerance):
    scale = max(float(np.linalg.norm(expected)), 1e-300)
    error = float(np.linalg.norm(actual - expected)) / scale
    assert error <= tolerance, f"relative error {error:.1e}"


def assert_consistent(solution, incidence):
    """What must hold of any answer, whatever the system."""
    report, n = solution.report, incidence.shape[1]
    silent = ~incidence.any(axis=0)
    assert solution.dual.shape == (n,) and np.isfinite(solution.dual).all()
    assert not solution.dual[silent].any()
    assert report.num_active == n - silent.sum()
    assert 0 <= report.rank <= report.num_active
    assert np.isfinite(report.residual_norms).all() and (report.residual_norms >= 0).all()
    assert not np.isnan(report.conditioning) and report.conditioning >= 0.9
    is_singular = report.rank < report.num_active
    assert np.isinf(report.conditioning) == is_singular
    assert (report.status != "ok") == is_singular, report.status
    if is_singular:
        assert f"rank {report.rank} on {report.num_active} datapoints" in report.status
        assert "minimum-norm" in report.status


def random_problem(rng, max_n=6, max_d=3, max_m=8):
    """A tiny system, often singular: duplicates, silent datapoints, fewer columns than rows."""
    n, d, m = int(rng.integers(1, max_n + 1)), int(rng.integers(1, max_d + 1)), int(rng.integers(1, max_m + 1))
    X = unit_rows(rng, n, d)
    incidence = rng.random((m, n)) < rng.choice([0.2, 0.5, 0.9, 1.0])
    if n > 1 and rng.random() < 0.4:
        one, other = rng.choice(n, size=2, replace=False)
        X[other] = X[one]
        if rng.random() < 0.6:
            incidence[:, other] = incidence[:, one]
    return incidence, X, rng.standard_normal(n)


def well_posed(rng, n, d, m, density=0.3):
    return rng.random((m, n)) < density, unit_rows(rng, n, d)


# The Jacobian's two representations


@given(seed=st.integers(0, 9999))
def test_both_representations_equal_the_explicit_jacobian(seed):
    rng = np.random.default_rng(seed)
    incidence, X, vector = random_problem(rng, max_n=8, max_m=30)
    J = explicit(incidence, X)
    overlaps = np.array([[np.sum(a & b) for b in incidence.T] for a in incidence.T])
    for jacobian in (sparse(incidence, X), dense(incidence, X)):
        np.testing.assert_array_equal(jacobian.overlaps(), overlaps)
        np.testing.assert_array_equal(jacobian.counts, incidence.sum(axis=0))
        np.testing.assert_allclose(jacobian.gram_product(vector), J @ (J.T @ vector), rtol=0, atol=1e-13)
        assert jacobian.width == incidence.shape[0]
    assert sparse(incidence, X).num_pairs == incidence.sum() and dense(incidence, X).num_pairs == incidence.size
    assert sparse(incidence, X).overlap_operations == sum(int(row.sum()) ** 2 for row in incidence)


@pytest.mark.parametrize("m", [8191, 8192, 8193, 20_000])
def test_dense_products_cross_blocks(m):
    rng = np.random.default_rng(m)
    incidence, X = well_posed(rng, 4, 3, m)
    vector = rng.standard_normal(4)
    one, other = sparse(incidence, X), dense(incidence, X)
    np.testing.assert_allclose(other.gram_product(vector), one.gram_product(vector), rtol=1e-12, atol=1e-14)
    gram = (X @ X.T) * (incidence.T.astype(float) @ incidence) / m
    np.testing.assert_allclose(other.gram_product(vector), gram @ vector, rtol=1e-12, atol=1e-14)


def test_output_signs_drop_out_of_the_gram_matrix():
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 5, 3, 20)
    signs = np.repeat(rng.choice([-1.0, 1.0], size=20), 3)
    J = explicit(incidence, X)
    np.testing.assert_allclose((J * signs) @ (J * signs).T, J @ J.T, rtol=0, atol=1e-14)


# The sketch


@pytest.mark.parametrize("make", [sparse, dense])
def test_count_sketch_adds_each_row_to_one_row_with_a_sign(make):
    rng = np.random.default_rng(0)
    incidence = np.zeros((60, 40), dtype=bool)
    incidence[np.arange(40), np.arange(40)] = True  # neuron r fires on datapoint r alone: the columns show its place
    sketch = make(incidence, unit_rows(rng, 40, 2)).count_sketch(rng, 7)
    assert sketch.shape == (7, 40)
    assert set(np.unique(sketch)) == {-1.0, 0.0, 1.0}
    np.testing.assert_array_equal(np.abs(sketch).sum(axis=0), np.ones(40))
    assert (np.abs(sketch).sum(axis=1) > 0).all() and (sketch.sum(axis=0) < 0).any() and (sketch.sum(axis=0) > 0).any()


@pytest.mark.parametrize("make", [sparse, dense])
def test_count_sketch_is_linear(make):
    rng = np.random.default_rng(1)
    first = rng.random((30, 5)) < 0.4
    second = ~first & (rng.random((30, 5)) < 0.5)
    first[:, 0] = second[:, 1] = True  # every neuron is touched in each, so that the streams mean the same neurons
    second[:, 0] = first[:, 1] = False
    X = unit_rows(rng, 5, 2)
    one, two, both = (make(a, X).count_sketch(np.random.default_rng(3), 8) for a in (first, second, first | second))
    np.testing.assert_array_equal(one + two, both)


@pytest.mark.parametrize("make", [sparse, dense])
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("num_rows", [2, 6, 10, 40])
def test_sketch_applies_one_sparse_sign_matrix(make, d, num_rows):
    # One neuron and datapoint e_k reveal column (r, k) of S; with all m * d of them at once S is read off whole.
    m = 6
    incidence = np.zeros((m, m * d), dtype=bool)
    incidence[np.repeat(np.arange(m), d), np.arange(m * d)] = True
    X = np.tile(np.eye(d), (m, 1))
    S = sketch_jacobian(make(incidence, X), np.arange(m * d), num_rows, np.random.default_rng(5)) * np.sqrt(m)
    assert S.shape == (num_rows, m * d)
    blocks = S.reshape(SKETCH_BLOCKS, num_rows // SKETCH_BLOCKS, m * d) * np.sqrt(SKETCH_BLOCKS)
    np.testing.assert_allclose(blocks, np.rint(blocks), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.abs(np.rint(blocks)).sum(axis=1), np.ones((SKETCH_BLOCKS, m * d)))
    # The same S, from the same stream, sketches any J over the same neurons and coordinates.
    rng = np.random.default_rng(2)
    other, points = rng.random((m, 4)) < 0.6, unit_rows(rng, 4, d)
    other[:, 0] = True
    active = np.array([0, 2, 3])
    sketch = sketch_jacobian(make(other, points), active, num_rows, np.random.default_rng(5))
    np.testing.assert_allclose(sketch, S @ explicit(other, points)[active].T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [sparse, dense])
@pytest.mark.parametrize("num_rows", [8, 30])
def test_sketched_gram_is_unbiased(make, num_rows):
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 4, 3, 12, density=0.5)
    jacobian, active = make(incidence, X), np.arange(4)
    J = explicit(incidence, X)
    draws = 800
    generator = np.random.default_rng(1)
    samples = np.empty((draws, 4, 4))
    for draw in range(draws):
        sketch = sketch_jacobian(jacobian, active, num_rows, generator)
        samples[draw] = sketch.T @ sketch
    error_bars = samples.std(axis=0) / np.sqrt(draws)
    deviation = np.abs(samples.mean(axis=0) - J @ J.T)
    assert (deviation < 5 * error_bars + 1e-12).all()
    assert error_bars.max() > 0


# The exact solve


@settings(max_examples=300)
@given(seed=st.integers(0, 10**6))
def test_exact_solve_equals_minimum_norm_least_squares(seed):
    rng = np.random.default_rng(seed)
    incidence, X, residual = random_problem(rng, max_n=9, max_d=4, max_m=12)
    J = explicit(incidence, X)
    relative = spectrum(J)
    solution = by_factors(sparse(incidence, X), residual)
    assert_consistent(solution, incidence)
    assert solution.report.iterations == solution.report.num_sketches == solution.report.num_sketch_rows == 0
    assert solution.report.preconditioned_conditioning is None
    if not ((relative > 1e-20) & (relative < 1e-7)).any():  # else rank is a matter of opinion
        assert solution.report.rank == (relative > 1e-7).sum()
        assert_close(solution.dual, minimum_norm(J, residual), 1e-8)
        by_lstsq = np.linalg.lstsq(J @ J.T, residual, rcond=1e-12)[0]
        assert_close(solution.dual, by_lstsq, 1e-8)
        assert_close(by_factors(dense(incidence, X), residual).dual, by_lstsq, 1e-8)


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
@pytest.mark.parametrize("make", [sparse, dense])
def test_nothing_fires(solve, make):
    incidence = np.zeros((5, 3), dtype=bool)
    solution = solve(make(incidence, np.eye(3)), np.ones(3))
    assert_consistent(solution, incidence)
    assert solution.dual.tolist() == [0.0, 0.0, 0.0]
    assert (solution.report.rank, solution.report.num_active, solution.report.iterations) == (0, 0, 0)


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("k", [1, 4])
def test_one_datapoint(solve, d, k):
    incidence = np.zeros((10, 1), dtype=bool)
    incidence[:k] = True
    solution = solve(sparse(incidence, unit_rows(np.random.default_rng(0), 1, d)), np.array([3.0]))
    assert_consistent(solution, incidence)
    assert solution.dual[0] == pytest.approx(30.0 / k, rel=1e-10)  # G = k / m
    assert solution.report.rank == 1


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
def test_duplicates_share_the_step_equally(solve):
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 6, 5, 40)
    X[4], incidence[:, 4] = X[1], incidence[:, 1]
    residual = rng.standard_normal(6)
    solution = solve(sparse(incidence, X), residual)
    assert_consistent(solution, incidence)
    assert solution.report.rank == 5 and np.isinf(solution.report.conditioning)
    assert solution.dual[1] == pytest.approx(solution.dual[4], rel=1e-8)
    assert_close(solution.dual, minimum_norm(explicit(incidence, X), residual), 1e-8)


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
def test_zero_rows_of_data_are_no_crash(solve):
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    incidence = np.ones((6, 3), dtype=bool)
    solution = solve(sparse(incidence, X), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(solution.dual, [0.0, 2.0, 3.0], rtol=1e-10, atol=1e-12)
    assert solution.report.rank == 2
    nothing = solve(sparse(incidence, np.zeros((3, 2))), np.ones(3))
    assert nothing.report.rank == 0 and not nothing.dual.any()


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_zero_residual_gives_zero_dual(solve, ridge):
    rng = np.random.default_rng(0)
    for _ in range(20):
        incidence, X, residual = random_problem(rng)
        solution = solve(sparse(incidence, X), np.zeros_like(residual), ridge=ridge)
        assert not solution.dual.any()
        assert solution.report.residual_norms.tolist() == [0.0]


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
@pytest.mark.parametrize("scale", [1e-100, 1e-30, 1e30, 1e100])
def test_the_step_scales_with_the_residual(solve, scale):
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 5, 4, 30)
    residual = rng.standard_normal(5)
    solution = solve(sparse(incidence, X), scale * residual)
    assert_consistent(solution, incidence)
    assert_close(solution.dual / scale, minimum_norm(explicit(incidence, X), residual), 1e-9)


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
@pytest.mark.parametrize("ridge", [1e-6, 0.01, 1.0, 100.0])
def test_ridge_equals_the_shifted_inverse(solve, ridge):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        incidence, X, residual = random_problem(rng)
        active = incidence.any(axis=0)
        J = explicit(incidence, X)[active]
        expected = np.zeros(active.size)
        expected[active] = np.linalg.inv(J @ J.T + ridge * np.eye(len(J))) @ residual[active]
        solution = solve(sparse(incidence, X), residual, ridge=ridge)
        assert_consistent(solution, incidence)
        assert solution.report.rank == solution.report.num_active
        assert_close(solution.dual, expected, 1e-8)


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
def test_a_solve_leaves_its_input_alone(solve):
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 5, 4, 30)
    residual = rng.standard_normal(5)
    X_before, residual_before = X.copy(), residual.copy()
    jacobian = dense(incidence, X)
    overlaps = jacobian.overlaps().copy()
    solve(jacobian, residual)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(residual, residual_before)
    np.testing.assert_array_equal(jacobian.overlaps(), overlaps)


# The sketched solve


def assert_sketched_solve(seed, make, sketch_factor):
    rng = np.random.default_rng(seed)
    incidence, X, residual = random_problem(rng)
    J = explicit(incidence, X)
    relative = spectrum(J)
    solution = by_sketch(make(incidence, X), residual, seed, sketch_factor=sketch_factor)
    assert_consistent(solution, incidence)
    report = solution.report
    assert report.residual_norms.size == report.iterations + 1
    if report.num_active:
        first_rows = sketch_factor * report.num_active // SKETCH_BLOCKS * SKETCH_BLOCKS
        assert report.num_sketch_rows == first_rows * 2 ** (report.num_sketches - 1)
    if ((relative > 1e-20) & (relative < 1e-6)).any():
        return
    where = f"seed {seed}, n {X.shape[0]}, d {X.shape[1]}, m {len(incidence)}, factor {sketch_factor}"
    assert report.rank == (relative > 1e-6).sum(), where
    assert_close(solution.dual, minimum_norm(J, residual), 1e-8)
    assert_close(solution.dual, by_factors(make(incidence, X), residual).dual, 1e-8)
    assert report.residual_norms[-1] < 1e-9


@pytest.mark.parametrize("make", [sparse, dense])
@pytest.mark.parametrize("sketch_factor", [2, 3, 8, 17])
def test_tiny_sketched_solves_lose_no_direction(make, sketch_factor):
    for seed in range(80):
        assert_sketched_solve(seed, make, sketch_factor)


@pytest.mark.slow
@pytest.mark.parametrize("sketch_factor", [2, 8])
def test_thousands_of_tiny_sketched_solves_lose_no_direction(sketch_factor):
    for seed in range(80, 2080):
        assert_sketched_solve(seed, sparse, sketch_factor)


@pytest.mark.parametrize("sketch_factor", [2, 8])
@pytest.mark.parametrize(("n", "d"), [(2, 2), (3, 3), (6, 1), (4, 6)])
def test_one_neuron_that_fires_on_all(sketch_factor, n, d):
    # J has rank min(n, d); the sketch can only see it through d hashed coordinates, which may collide.
    X = unit_rows(np.random.default_rng(n), n, d)
    incidence, residual = np.ones((1, n), dtype=bool), np.arange(1.0, n + 1)
    expected = minimum_norm(explicit(incidence, X), residual)
    for seed in range(60):
        solution = by_sketch(sparse(incidence, X), residual, seed, sketch_factor=sketch_factor)
        assert_consistent(solution, incidence)
        assert solution.report.rank == min(n, d)
        assert_close(solution.dual, expected, 1e-8)


@pytest.mark.parametrize("make", [sparse, dense])
def test_a_lost_direction_costs_another_sketch(make):
    # Two datapoints, two coordinates, two rows: every coordinate lands in the same place, so the first sketch of
    # this J of rank 2 has rank 1 whenever the signs agree up to a common sign, and must be refused.
    X, incidence = np.eye(2), np.ones((1, 2), dtype=bool)
    reports = [by_sketch(make(incidence, X), np.ones(2), seed, sketch_factor=2).report for seed in range(60)]
    assert all(report.rank == 2 for report in reports)
    assert max(report.num_sketches for report in reports) > 1


@settings(max_examples=30)
@given(seed=st.integers(0, 9999), n=st.integers(2, 20), gap=st.sampled_from([1.0, 0.1, 1e-2, 3e-3]))
def test_sketched_solve_equals_exact_one_while_well_conditioned(seed, n, gap):
    rng = np.random.default_rng(seed)
    incidence, X = well_posed(rng, n, 6, 60)
    X[1] = X[0] + gap * X[1]
    X[1] /= np.linalg.norm(X[1])
    incidence[:, 1] = incidence[:, 0]
    J = explicit(incidence, X)
    relative = spectrum(J)
    if relative[-1] < 1e-6:
        return
    residual = rng.standard_normal(n)
    sketched, exact = by_sketch(sparse(incidence, X), residual, seed), by_factors(sparse(incidence, X), residual)
    for solution in (sketched, exact):
        assert_consistent(solution, incidence)
        assert_close(solution.dual, minimum_norm(J, residual), 1e-8)
    assert_close(sketched.dual, exact.dual, 1e-8)


def test_same_stream_same_bits():
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 7, 4, 60)
    residual = rng.standard_normal(7)
    one, two = (by_sketch(sparse(incidence, X), residual, 5) for _ in range(2))
    assert one.dual.tobytes() == two.dual.tobytes()
    assert one.report.residual_norms.tobytes() == two.report.residual_norms.tobytes()


def near_duplicates(rng, n, d, m, gap):
    """Datapoints in pairs at a distance of about `gap` that fire the same neurons: kappa(G) is about gap^-2."""
    incidence, X = well_posed(rng, n, d, m)
    X[1::2] = X[0::2] + gap * unit_rows(rng, n // 2, d)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    incidence[:, 1::2] = incidence[:, 0::2]
    return incidence, X


def test_iterations_do_not_grow_with_conditioning():
    easy, hard, kappas = [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n = 30
        residual = rng.standard_normal(n)
        easy.append(by_sketch(sparse(*well_posed(rng, n, 10, 300)), residual, seed).report)
        problem = near_duplicates(rng, n, 10, 300, gap=5e-3)
        kappas.append(1 / spectrum(explicit(*problem))[-1])
        hard.append(by_sketch(sparse(*problem), residual, seed).report)
    assert 3e4 < np.median(kappas) < 1e6
    assert max(r.iterations for r in hard) <= 2 * min(r.iterations for r in easy)
    assert max(r.iterations for r in easy) <= 40
    # ((sqrt(c) + 1) / (sqrt(c) - 1))^2 at c = 8 is 4.4 for n large.
    assert max(r.preconditioned_conditioning for r in easy + hard) < 12
    assert min(r.preconditioned_conditioning for r in easy + hard) > 1


def test_iterations_stay_few_when_singular_and_badly_scaled():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        incidence, X = near_duplicates(rng, 20, 10, 200, gap=5e-3)
        X[2], incidence[:, 2] = X[0], incidence[:, 0]
        residual = rng.standard_normal(20)
        solution = by_sketch(sparse(incidence, X), residual, seed)
        assert_consistent(solution, incidence)
        assert solution.report.rank == 19 and solution.report.iterations <= 40
        assert solution.report.preconditioned_conditioning < 12


def test_larger_sketches_need_fewer_iterations():
    rng = np.random.default_rng(0)
    problem, residual = near_duplicates(rng, 30, 10, 300, gap=1e-2), rng.standard_normal(30)
    counts = [
        np.mean([by_sketch(sparse(*problem), residual, seed, sketch_factor=c).report.iterations for seed in range(5)])
        for c in (2, 4, 8, 32)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > 1.5 * counts[-1]


def test_looser_tolerance_needs_fewer_iterations_and_is_met():
    rng = np.random.default_rng(0)
    problem, residual = well_posed(rng, 30, 10, 500), rng.standard_normal(30)
    previous = 0
    for tolerance in (1e-1, 1e-3, 1e-6, 1e-12):
        report = by_sketch(sparse(*problem), residual, tolerance=tolerance).report
        assert report.iterations > previous
        assert report.residual_norms[-2] <= tolerance < report.residual_norms[-3 if report.iterations > 1 else -1]
        assert report.residual_norms[-1] <= 1.01 * tolerance + 1e-13
        previous = report.iterations


# Reports


def test_the_conditioning_met_is_that_of_the_system():
    """After as many iterations as there are eigenvalues, conjugate gradient has met them all."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    matrix, right = turn @ np.diag([0.5, 1.0, 4.0, 9.0]) @ turn.T, turn.sum(axis=1)
    solution, norms, met = _conjugate_gradient(lambda vector: matrix @ vector, right, 1e-10, 10)
    assert norms.size == 4 and met == pytest.approx(9.0 / 0.5)
    assert_close(solution, np.linalg.solve(matrix, right), 1e-12)


@pytest.mark.parametrize("gap", [1.0, 0.1, 1e-2, 1e-3, 1e-5])
def test_conditioning_is_estimated_within_a_factor(gap):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        incidence, X = near_duplicates(rng, 12, 8, 200, gap)
        true = 1 / spectrum(explicit(incidence, X))[-1]
        for solve in (by_factors, by_sketch):
            report = solve(sparse(incidence, X), rng.standard_normal(12)).report
            assert true / 30 < report.conditioning < 30 * true


def test_reports_name_rank_and_silent_points():
    rng = np.random.default_rng(0)
    incidence, X = well_posed(rng, 7, 5, 60)
    X[3], incidence[:, 3] = X[0], incidence[:, 0]
    incidence[:, 5] = False
    for solve in (by_factors, by_sketch):
        report = solve(sparse(incidence, X), rng.standard_normal(7)).report
        assert (report.rank, report.num_active) == (5, 6) and np.isinf(report.conditioning)
        assert report.status.startswith("the Gram matrix has rank 5 on 6 datapoints")
        ridged = solve(sparse(incidence, X), rng.standard_normal(7), ridge=1e-3).report
        assert (ridged.rank, ridged.num_active, ridged.status) == (6, 6, "ok") and np.isfinite(ridged.conditioning)


@pytest.mark.parametrize("solve", [by_factors, by_sketch])
def test_reports_agree_with_themselves_at_the_edge_of_singularity(solve):
    # kappa(G) from 1e10 to 1e18: whether the rank is full is a matter of round-off, but rank, conditioning and
    # status must tell the same story.
    for seed in range(150):
        rng = np.random.default_rng(seed)
        n = 2 * int(rng.integers(1, 6))
        incidence, X = near_duplicates(rng, n, int(rng.integers(2, 6)), 60, gap=10.0 ** rng.uniform(-9, -5))
        assert_consistent(solve(sparse(incidence, X), rng.standard_normal(n)), incidence)
