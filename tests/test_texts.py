"""Every sentence of the lesson, the stage and the charts, over a grid of settings, against numbers recomputed here.

What can be counted is counted again from the weights. What any sentence can do wrong is looked for in all of them:
numbers that are none, plurals of one, shares above the whole.
"""

import itertools
import math

import numpy as np
import pytest
from texts_grid import assert_sound, brute_force, nodes_read, number_after, settings_of_grid

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson.caveats import make_caveats, make_limits, make_questions
from treeviz.lesson.facts import Facts
from treeviz.lesson.sections import make_sections
from treeviz.model.config import SEARCHES
from treeviz.model.network import paper_threshold
from treeviz.model.numerals import agree, count, numeral
from treeviz.stage.packing import pack_frame
from treeviz.stage.view import View
from treeviz.style import sentences
from treeviz.style.palette import compact, percent


def all_strings(value):
    """Yield every string within lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from all_strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from all_strings(each)


def check_lesson(name, n, width, threshold, solver, seed):
    data = load_dataset(name, num_points=n, seed=seed)
    activation = ("shifted", "clipped")[seed % 2]
    config = TrainConfig(
        width=width, threshold=threshold, search="forest", solver=solver, seed=seed, activation=activation
    )
    trainer = Trainer(data, config)
    trainer.run(4, until_loss=0.0)
    trace, b = trainer.trace, config.resolved_threshold
    facts = Facts(trace)
    sections = {section.key: section for section in make_sections(facts)}
    caveats, questions, limits = make_caveats(facts), make_questions(facts), make_limits(facts)
    texts = [part for one in sections.values() for part in (one.text, one.conclusion)]
    assert_sound(
        [*texts, *(part for one in (*caveats, *limits) for part in (one.title, one.text)), *itertools.chain(*questions)]
    )

    Z, fires, overlaps = brute_force(data, config)
    k = fires.sum(axis=0)
    assert f", {count(k[0], 'neuron')} {agree(k[0], 'fires', 'fire')} on datapoint 0." in sections["network"].conclusion
    sparsity = sections["sparsity"]
    assert f"a datapoint fires {numeral(k.mean(), 2)} on average" in sparsity.conclusion
    assert ("b is another" in sparsity.text) == (abs(b - paper_threshold(width)) > 1e-9)
    read = nodes_read(Z[:, 0], b)
    assert f"reads {percent(read / (2 * width - 1))} of its nodes" in sections["trees"].conclusion
    assert ("no neuron fires" in sections["trees"].conclusion) == (k[0] == 0)
    touched = int(fires.any(axis=1).sum())
    assert f"other {count(width - touched, 'neuron')} never" in sections["moving"].conclusion

    most = (read - 1) / 2 if k[0] else 0  # inner nodes of at least b
    assert most <= k[0] * (math.log2(width / k[0]) + 2) if k[0] else not most
    shift = b * trace.output_signs.sum() / math.sqrt(width) if activation == "clipped" else 0.0
    outputs = trace.output_signs @ np.maximum(Z - b, 0.0) / math.sqrt(width) + shift
    assert sections["network"].with_numbers[-1] == f"={outputs[0] + 0.0:.4f}"
    assert any(r"\sum_{r=1}^{m}a_r" in line for line in sections["network"].formula) == (activation == "clipped")
    bought = next(caveat.text for caveat in caveats if "a list would do" in caveat.title)
    total = sum(nodes_read(leaves, b) for leaves in Z.T)
    assert f"The first search here reads {count(total, 'node')}; the table would compare " in bought
    assert f"{count(int(fires.any(axis=1).sum()) * n, 'number')}." in bought
    nearest = number_after("closest to b is ", limits[5].text)
    assert nearest == pytest.approx(np.abs(Z[:, 0] - b).min(), rel=0.06)
    assert f"this network has {width:,}." in limits[1].text

    losses, (own, dense) = trace.losses, (trace.amortized(), trace.amortized(of="dense"))
    assert (" falls from" in sections["iteration"].conclusion) == (losses.size > 1 and losses[-1] < losses[0])
    ahead = own < dense
    if not ahead[-1]:
        assert "has not been paid back" in sections["amortized"].conclusion
    elif ahead.all():
        assert "less from the first iteration on" in sections["amortized"].conclusion
    else:
        last_behind = int(np.flatnonzero(~ahead)[-1]) + 1
        assert f"less since iteration {last_behind}." in sections["amortized"].conclusion
    assert ("let the loss grow" in sections["theorem"].conclusion) == (losses.size > 1 and losses[-1] >= losses[0])
    falls = losses[1:] / losses[:-1] if losses.all() else losses[:0]
    if "faster and faster" in sections["theorem"].conclusion:
        assert losses[-1] < 1e-6 * losses[0] and all(b < a for a, b in itertools.pairwise(falls))

    record = trace.records[0]
    costs = record.costs
    first, first_dense = record.num_operations, sum(trace.dense_costs(record).values())
    answer = questions[-1][1]
    assert f" = {compact(first)} operations" in answer and f"that fire: {compact(first_dense)}." in answer
    assert ("it is here" in answer) == (first > first_dense)
    titles = [caveat.title for caveat in caveats]
    assert ("Repairing costs more than searching" in titles) == (costs.get("repair", 0) > costs.get("search", 0))

    conditioning = next(caveat.text for caveat in caveats if caveat.title.startswith("The threshold makes G"))
    active = np.flatnonzero(k)
    eigenvalues = np.linalg.eigvalsh(((data.X @ data.X.T) * overlaps)[np.ix_(active, active)] / width)
    if active.size and 1e-9 * eigenvalues[-1] < eigenvalues[0]:
        said = number_after("largest over the smallest, is ", conditioning)
        assert said == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=0.06)
        assert number_after("of G is ", conditioning) == pytest.approx(eigenvalues[0], rel=0.06)
    if n > 1:
        products = (data.X @ data.X.T)[~np.eye(n, dtype=bool)]
        said = number_after("two datapoints is ", sections["theorem"].conclusion)
        smallest = math.degrees(math.acos(min(1.0, products.max())))
        assert said == pytest.approx(smallest, rel=0.06, abs=2e-6)


def check_stage(name, n, width, threshold, solver, seed, search):
    data = load_dataset(name, num_points=n, seed=seed)
    config = TrainConfig(width=width, threshold=threshold, search=search, solver=solver, seed=seed)
    trainer = Trainer(data, config)
    trace = trainer.run(3, until_loss=0.0)
    dense = Trainer(data, TrainConfig(width=width, threshold=threshold, search="dense", solver="exact", seed=seed))
    dense.run(3, until_loss=0.0)
    texts = [sentences.describe_sparsity(width, config.resolved_threshold)]
    texts.append(sentences.compare_losses(trace, dense.trace))
    for record in trace.records:
        frame = pack_frame(trace, View(tree=min(1, n - 1)), record.iteration)
        texts += [frame["summary"], frame["plane"]["caption"], *all_strings([frame["script"], frame["record"]])]
        own, other = record.num_operations, sum(trace.dense_costs(record).values())
        cost = sentences.describe_cost(trace, record)
        assert f"{own:,} operation" in cost and f"{other:,} operation" in cost
        assert ("only" in cost) == (other < own)
        texts.append(cost)
    assert_sound(texts)


SMALL, SIZES = (8, 64, 500, 1024), (1, 2, 8, 20)


@pytest.mark.parametrize(("name", "n", "width", "threshold", "solver", "seed"), settings_of_grid(48, 1, SMALL, SIZES))
def test_the_lesson_says_what_is_so(name, n, width, threshold, solver, seed):
    check_lesson(name, n, width, threshold, solver, seed)


@pytest.mark.parametrize(("name", "n", "width", "threshold", "solver", "seed"), settings_of_grid(12, 2, SMALL, SIZES))
@pytest.mark.parametrize("search", SEARCHES)
def test_the_stage_says_what_is_so(name, n, width, threshold, solver, seed, search):
    check_stage(name, n, width, threshold, solver, seed, search)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n", "width", "threshold", "solver", "seed"),
    settings_of_grid(40, 3, (8, 100, 4096, 1 << 14, 1 << 16), (1, 3, 16, 60, 100)),
)
def test_the_lesson_and_the_stage_say_what_is_so_of_larger_runs(name, n, width, threshold, solver, seed):
    check_lesson(name, n, width, threshold, solver, seed)
    check_stage(name, n, width, threshold, solver, seed, tuple(SEARCHES)[seed % len(SEARCHES)])


PLANAR = ("circle", "moons", "spirals", "sphere", "xor")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n", "width", "threshold", "solver", "seed"), settings_of_grid(5, 4, (1 << 18, 1 << 20), (2, 4), PLANAR)
)
def test_the_lesson_and_the_stage_say_what_is_so_of_the_widest_runs(name, n, width, threshold, solver, seed):
    check_lesson(name, n, width, threshold, solver, seed)
    check_stage(name, n, width, threshold, solver, seed, tuple(SEARCHES)[seed % len(SEARCHES)])
