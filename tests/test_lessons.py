"""Lessons in scenes: what a file may hold, and that numbers and right answers are those of the run."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import treeviz.lesson.scenes as scenes
from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson.scenes.lesson_file import quiz_text, read_lesson, shipped_texts
from treeviz.lesson.scenes.numbers import NUMBERS, TreeMoment
from treeviz.lesson.scenes.questions import Choose, Click, Estimate, Option, describe
from treeviz.lesson.scenes.quiz import NUM_ITERATIONS, deal
from treeviz.lesson.scenes.tables import MAX_ROWS, TABLES, tell_phases, tell_totals
from treeviz.model.network import firing_probability
from treeviz.stage import component
from treeviz.stage.moment import ADDRESS
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.script import write_script
from treeviz.training.verify import check_iteration, check_loss

GOOD = """
title = "T"
summary = "S"
[[scene]]
title = "one"
text = "{firing:neuron} of {width}, {firing_share:%}"
settings = { data = "circle", width = 64 }
moment = { iteration = 2, opened = "3,5" }
[scene.question]
kind = "choose"
ask = "A?"
why = "W"
option = [{ text = "yes", when = "width > 3" }, { text = "no", when = false }]
"""


def test_a_lesson_is_read_as_it_is_written():
    lesson = read_lesson(GOOD.encode(), {}, ADDRESS)
    (scene,) = lesson.scenes
    assert (lesson.title, scene.title, dict(scene.settings)) == ("T", "one", {"data": "circle", "width": "64"})
    assert dict(scene.moment) == {"it": "2", "open": "3,5"}
    assert scene.question == Choose("A?", "W", (Option("yes", "width > 3"), Option("no", False)))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "T"', "title = ", "no TOML"),
        ('summary = "S"', "", "'summary' is a required property"),
        ('title = "one"', 'titel = "one"', "scene 1: "),
        ("iteration = 2", "iteration = -1", "scene 1, moment, iteration: -1"),
        ("{firing:neuron}", "{fireing}", "scene 1, 'one': it names the number {fireing}"),
        ("{firing:neuron}", "{firing:.2f}", "after {firing: may stand"),
        ("{firing:neuron}", "{firing", "braces do not match"),
        ("width > 3", "width => 3", "is no comparison"),
        ("width > 3", "size > 3", "names the number 'size'"),
        ('kind = "choose"', 'kind = "guess"', "scene 1, question, kind: 'guess' is not one of"),
        ('kind = "choose"', 'kind = "click"', "scene 1, question"),
        ("width = 64", "width = 65", "scene 1, 'one': width must be one of"),
        ("settings = {", 'preset = "none"\nsettings = {', "there is no preset 'none'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(old, new, words):
    assert old in GOOD
    with pytest.raises(ValueError) as refusal:
        read_lesson(GOOD.replace(old, new, 1), {"toy": {}}, ADDRESS)
    assert words in str(refusal.value)


def test_a_file_that_is_no_text_or_too_long_is_refused():
    with pytest.raises(ValueError, match="UTF-8"):
        read_lesson(b"\xff\xfe", {}, ADDRESS)
    with pytest.raises(ValueError, match="at most"):
        read_lesson(b" " * 1_000_001, {}, ADDRESS)


def test_the_page_about_lessons_names_every_number():
    text = (Path(scenes.__file__).parent / "README.md").read_text(encoding="utf-8")
    for name, number in NUMBERS.items():
        assert f"| `{name}` | {number.means} |" in text


def test_a_scene_can_show_every_table_that_there_is():
    schema = json.loads((Path(scenes.__file__).parent / "lesson.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"]["scene"]["properties"]["table"]["enum"] == list(TABLES)


def test_a_scene_can_be_about_every_part_that_the_stage_knows_by_name():
    schema = json.loads((Path(scenes.__file__).parent / "lesson.schema.json").read_text(encoding="utf-8"))
    script = (Path(component.__file__).parent / "web" / "lesson.js").read_text(encoding="utf-8")
    table = re.search(r"const PLACES = \{(.*?)\};", script, re.DOTALL)[1]
    places = dict(re.findall(r'(\w+): "([\w-]+)"', table))
    assert set(places) == set(schema["$defs"]["scene"]["properties"]["focus"]["enum"])
    for part in places.values():
        is_drawn = f'"data-part": "{part}"' in component.PARTS["js"]  # only in scenes that speak of it
        assert is_drawn or f'data-part="{part}"' in component.PARTS["html"]


def random_moments(count):
    """Yield moments of random small runs."""
    rng = np.random.default_rng(7)
    for _ in range(count):
        name = rng.choice(["circle", "xor", "sphere", "moons"])
        data = load_dataset(str(name), num_points=int(rng.integers(4, 9)), seed=int(rng.integers(1000)))
        threshold = None if rng.random() < 0.5 else float(rng.uniform(0, 2.5))
        search = str(rng.choice(["forest", "watch", "table"]))
        config = TrainConfig(
            width=int(rng.integers(8, 150)),
            threshold=threshold,
            solver="exact",
            seed=int(rng.integers(1000)),
            search=search,
        )
        trainer = Trainer(data, config)
        for _ in range(int(rng.integers(1, 4))):
            trainer.step()
        trace = trainer.trace
        yield TreeMoment(trace, int(rng.integers(data.num_points)), int(rng.integers(len(trace.records))))


def read_by_hand(leaves, threshold, node, found):
    """Search below a node by recursion, each maximum taken anew from the leaves."""
    width = len(leaves)
    below = [node]
    while below[0] < width or below[-1] < width:
        below = [child for at in below for child in ((at,) if at >= width else (2 * at, 2 * at + 1))]
    found.append(node)
    if node < width and max(leaves[leaf - width] for leaf in below) >= threshold:
        for child in (2 * node, 2 * node + 1):
            read_by_hand(leaves, threshold, child, found)
    return found


def maxima_by_hand(leaves):
    width = len(leaves)
    values = [math.nan] * width + list(leaves)
    for node in range(width - 1, 0, -1):
        values[node] = max(values[2 * node], values[2 * node + 1])
    return values


def test_answers_equal_a_search_by_hand_on_two_hundred_runs():
    for moment in random_moments(200):
        step, width = moment.step, moment.trace.config.width
        threshold = moment.trace.config.resolved_threshold
        old, new = step.before[width:].tolist(), step.after[width:].tolist()
        read = set(read_by_hand(old, threshold, 1, []))
        before, after = maxima_by_hand(old), maxima_by_hand(new)
        nodes = range(1, 2 * width)
        changed = {node for node in nodes if before[node] != after[node]}
        by_hand = {
            "entered": read,
            "skipped": set(nodes) - read,
            "firing": {width + r for r in range(width) if old[r] >= threshold},
            "firing after": {width + r for r in range(width) if new[r] >= threshold},
            "modified": changed,
            "climb stops": {node // 2 for node in changed if node > 1 and node // 2 not in changed},
        }
        for find, right in by_hand.items():
            answer = Click("", "", find).answer(moment)
            assert set(answer["right"]) == right, find
            assert right <= set(answer["candidates"])
            level = Click("", "", find, level=2).answer(moment)
            assert set(level["right"]) == {node for node in right if 4 <= node < 8}
        record = moment.record
        numbers = {
            "points": len(moment.trace.dataset.y),
            "pairs": width * len(moment.trace.dataset.y),
            "firing": len(by_hand["firing"]),
            "firing_after": len(by_hand["firing after"]),
            "firing_share": len(by_hand["firing"]) / width,
            "largest": max(old),
            "nodes": 2 * width - 1,
            "visited": len(read),
            "visited_share": len(read) / (2 * width - 1),
            "modified": len(changed),
            "touched": len(set(np.concatenate([record.firing[i] for i in range(len(record.residual))]).tolist())),
            "residual": record.outputs[moment.tree] - moment.trace.dataset.y[moment.tree],
            "loss": 0.5 * np.sum(record.residual**2),
            "first_loss": 0.5 * np.sum(moment.trace.records[0].residual ** 2),
            "operations": sum(record.costs.values()),
            "levels": (2 * width - 1).bit_length(),
            "visited_per_leaf": len(read) / width,
            "firing_pairs": sum(len(found) for found in record.firing),
            "changes_per_leaf": sum(len(found) for found in record.firing) / width,
            "product_operations": width * len(record.residual) * (moment.trace.dataset.dimension + 1),
            "saving": sum(moment.trace.dense_costs(record).values()) - sum(record.costs.values()),
        }
        for name, value in numbers.items():
            assert moment.find(name) == pytest.approx(value, rel=1e-12, abs=1e-14), name
        assert Estimate("", "", "visited_share").answer(moment)["right"] == pytest.approx(
            100 * len(read) / (2 * width - 1)
        )


def test_a_repair_writes_and_recomputes_what_climbing_by_hand_does():
    """In all trees together, level by level: above each node that changed in some tree, and each node once."""
    found = set()
    for moment in random_moments(40):
        trace, record, width = moment.trace, moment.record, moment.trace.config.width
        steps = [trace.replay(tree, moment.iteration) for tree in range(len(record.residual))]
        changed = np.any([step.before != step.after for step in steps], axis=0)
        nodes = {width + int(neuron) for neuron in record.touched} if record.dual_step.any() else set()
        nodes |= {node // 2 for node in np.flatnonzero(changed).tolist() if node > 1}
        expected = len(nodes) if trace.config.search == "forest" else 0
        assert moment.find("repaired") == expected
        found.add(expected)
    assert len(found) > 5


def test_the_table_of_phases_adds_up_to_the_iteration():
    for moment in random_moments(20):
        table = tell_phases(moment)
        for place, name in enumerate(("operations", "dense_operations"), start=1):
            *parts, whole = (int(row[place].replace(",", "")) for row in table["rows"])
            assert sum(parts) == whole == moment.find(name)
        assert table["head"][1] == ("trees" if moment.trace.config.search == "forest" else "this run")


def test_the_table_of_sums_ends_where_building_is_paid_off(circle):
    for moment in (TreeMoment(circle, 0, 0), *random_moments(20)):
        trace, table = moment.trace, tell_totals(moment)
        rows = [[int(number.replace(",", "")) for number in row] for row in table["rows"]]
        own, dense = trace.amortized(), trace.amortized(of="dense")
        for count, (done, sum_own, sum_dense, amortized) in enumerate(rows, start=1):
            assert done == count
            assert [sum_own, sum_dense] == [round(own[count - 1] * count), round(dense[count - 1] * count)]
            assert amortized == pytest.approx(own[count - 1], abs=0.5)
        assert len(rows) == min(moment.find("paid_off"), len(trace.records), MAX_ROWS)
        assert table["strong"] == len(rows) - 1


def test_totals_are_the_amortized_cost_times_the_iterations():
    moment = next(random_moments(1))
    trace = moment.trace
    at = TreeMoment(trace, 0, len(trace.records) - 1)
    assert at.find("total_operations") == pytest.approx(trace.amortized()[-1] * len(trace.records))
    assert at.find("dense_total_operations") == pytest.approx(trace.amortized(of="dense")[-1] * len(trace.records))


def test_building_is_paid_off_where_the_amortized_costs_cross(circle):
    found = set()
    for moment in (*random_moments(25), TreeMoment(circle, 0, 0)):
        trace = moment.trace
        is_less = trace.amortized() < trace.amortized(of="dense")
        expected = float(np.argmax(is_less)) + 1 if is_less.any() else math.inf
        assert moment.find("paid_off") == expected
        found.add(expected)
    assert found >= {math.inf, 2.0, 8.0}


def test_values_of_nodes_have_the_digits_of_the_picture(circle):
    moment = TreeMoment(circle, 0, 0)
    assert moment.fill("{threshold} {largest} {dual}") == "1.413 2.519 −42.9"
    run = Trainer(circle.dataset, TrainConfig(width=64, solver="exact", threshold=0.0)).run(1)
    assert TreeMoment(run, 0, 0).fill("{threshold}") == "0"


def test_what_the_first_lesson_says_in_words_is_so_of_its_run(circle):
    """Claims that no number fills in, and that hold for the run of the scenes."""
    first = TreeMoment(circle, 0, 0)
    assert abs(first.find("dual")) > 10 * abs(first.find("residual")), "g is much larger than the residual"
    assert circle.losses[1] > circle.losses[0], "the loss can rise at first"
    drawn = draw_tree(first.step, max_nodes=127)
    repair = [small.text for small in write_script(circle, circle.records[0], drawn)["repair"]]
    assert repair[1].endswith("Stop."), "the scene opens at a climb that stops at once"
    assert any("the root" in text for text in repair), "others reach the root"
    assert first.find("repaired") > first.find("visited"), "repair is the larger part"
    assert first.record.costs["repair"] > first.record.costs["search"]
    pairs, num_points = first.find("firing_pairs"), first.find("points")
    assert first.record.costs["repair"] == (pairs + first.find("repaired")) * num_points, "so the repair is made up"
    assert math.ceil(first.find("build_operations") / first.find("saving")) == 5, "at the first saving, 5 pay"
    savings = [TreeMoment(circle, 0, iteration).find("saving") for iteration in range(8)]
    assert max(savings[1:]) < savings[0], "later iterations save less"
    counts = [record.firing.num_pairs for record in circle.records]
    assert min(counts[1:]) > counts[0], "because more neurons fire"
    same = [all(map(np.array_equal, *(circle.records[at].firing for at in (t, t + 1)))) for t in range(7)]
    assert same[6] and not any(same[:5]), "at the end no neuron starts or stops firing"
    assert circle.losses[6] > 1e-3 and circle.losses[7] < 1e-29
    for before, after in zip(circle.records, circle.records[1:], strict=False):
        assert np.isin(after.touched, before.touched).all(), "touched neurons become fewer, never more"


def begin_wide(threshold):
    trainer = Trainer(load_dataset("circle"), TrainConfig(width=65_536, solver="exact", threshold=threshold))
    trainer.step()
    return TreeMoment(trainer.trace, 0, 0)


def test_what_the_first_lesson_says_of_wide_trees_is_so():
    wide = begin_wide(None)
    assert firing_probability(1.4) == pytest.approx(0.08, abs=0.002), "at 1.4 about 8 % fire"
    kept = begin_wide(1.4)
    assert kept.find("firing_share") == pytest.approx(0.08, abs=0.005)
    assert kept.find("visited") > 4 * wide.find("visited"), "it would read far more nodes"
    assert kept.find("visited") < kept.find("nodes") / 2, "but not the whole tree"
    losing = begin_wide(0.5)
    assert losing.find("visited") > losing.find("width"), "more nodes are read than there are leaves"
    assert losing.record.costs["repair"] > losing.find("product_operations"), "the repair alone takes more"
    assert losing.record.status == "ok"
    search, repair = losing.find("visited_total"), losing.record.costs["repair"]
    assert search < losing.find("product_operations") < repair, "the repair is what loses"
    border = [begin_wide(b) for b in (1.1, 1.2)]
    assert [losing.find("times_fewer") < 1, *(moment.find("times_fewer") < 1 for moment in border)] == [
        True,
        True,
        False,
    ]
    shares = [moment.find("firing_pairs") / moment.find("pairs") for moment in border]
    assert shares[1] < 1 / 8 < shares[0], "the border is where one in eight fires"


def test_a_wrong_leaf_shows_in_the_loss_alone():
    """As the first lesson asks: a leaf is written wrongly, and the maxima above it fit it."""
    data, config = load_dataset("circle"), TrainConfig(width=64, solver="exact")
    trainer, dense = Trainer(data, config), Trainer(data, replace(config, search="dense-sparse"))
    for one in (trainer, dense):
        one.step()
    forest = trainer.forest
    neuron = int(np.flatnonzero((forest.leaves[:, 0] < 1.3) & (forest.leaves[:, 0] > 1.0))[0])
    row = forest.leaves[[neuron]].copy()
    row[0, 0] = 1.6
    forest.update(np.array([neuron]), row)
    scan = trainer.trace.engine().scan(data.X, config.resolved_threshold)
    record, _ = trainer.step(), dense.step()
    check = check_iteration(record, scan)
    assert neuron in record.firing[0] and neuron not in dense.trace.records[1].firing[0]
    assert check.firing_fault is None and check.heap_fault is None
    assert not check_loss(trainer.trace, dense.trace, 1).agrees


def test_a_question_with_no_right_option_or_two_is_refused():
    moment = next(random_moments(1))
    for conditions in ((False, False), ("width > 1", "points > 0")):
        options = tuple(Option("o", when) for when in conditions)
        with pytest.raises(ValueError, match="just one must be"):
            describe(Choose("?", "", options), moment)
    wide = Trainer(load_dataset("circle", num_points=2), TrainConfig(width=2048, solver="exact"))
    wide.step()
    with pytest.raises(ValueError, match="too many to click"):
        Click("", "", "entered").answer(TreeMoment(wide.trace, 0, 0))


def test_texts_are_filled_with_numbers_of_the_run():
    moment = next(random_moments(1))
    trace = moment.trace
    filled = moment.fill("{points:datapoint}, {width:leaf}, {firing_share:%}, {threshold}, {{}}")
    assert filled.startswith(f"{trace.dataset.num_points} datapoints, {trace.config.width} leaves, ")
    assert filled.endswith(", {}") and "%" in filled


def test_a_number_that_there_is_not_yet_is_said_to_be_none():
    moment = next(random_moments(1))
    assert moment.trace.losses[-1] > 1e-6
    assert moment.fill("{to_a_millionth} {to_a_millionth:iteration} {to_a_millionth:%}") == " ".join(
        ["no number yet"] * 3
    )


def test_lessons_that_come_with_the_program_can_be_read():
    lessons = {key: read_lesson(text, {}, ADDRESS) for key, text in shipped_texts().items()}
    assert set(lessons) == {"idea", "cost", "exactness", "break"}
    assert all(scene.notes for lesson in lessons.values() for scene in lesson.scenes)


def test_a_quiz_deals_questions_that_the_run_can_answer():
    templates = read_lesson(quiz_text(), {}, ADDRESS)
    dealt = set()
    for seed, moment in enumerate(random_moments(40)):
        trace = moment.trace
        quiz = deal(templates, trace, ("tree", "it"), seed)
        assert quiz == deal(templates, trace, ("tree", "it"), seed)
        assert len(quiz.scenes) == 5 and len({scene.title for scene in quiz.scenes}) == 5
        for scene in quiz.scenes:
            at = TreeMoment(trace, int(scene.moment["tree"]), int(scene.moment["it"]))
            assert describe(scene.question, at)["right"] != []
            dealt.add((scene.title, at.tree, at.iteration))
    wide = Trainer(load_dataset("sphere", num_points=3), TrainConfig(width=5000, solver="exact"))
    wide.step()
    assert {title for title, _, _ in dealt} == {scene.title for scene in templates.scenes}
    assert all(
        scene.title != "Which leaves fire?" for scene in deal(templates, wide.trace, ("tree", "it"), 3, 9).scenes
    )


def test_a_seed_deals_the_same_quiz_however_far_the_run_has_come(circle):
    templates = read_lesson(quiz_text(), {}, ADDRESS)
    assert len(circle.records) > NUM_ITERATIONS
    early = replace(circle, records=circle.records[:NUM_ITERATIONS])
    quizzes = [deal(templates, circle, ("tree", "it"), seed) for seed in range(20)]
    assert quizzes == [deal(templates, early, ("tree", "it"), seed) for seed in range(20)]
    assert len({scene.moment["it"] for quiz in quizzes for scene in quiz.scenes}) == NUM_ITERATIONS
