"""How long the real sentences of runs stay while they play."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from node import ARGUMENTS

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson.address import load_run
from treeviz.lesson.scenes.lesson_file import read_lesson, shipped_texts
from treeviz.stage.moment import ADDRESS
from treeviz.stage.packing import pack_frame
from treeviz.stage.view import View

SCRIPT = Path(__file__).parent / "js" / "pace_of_phases.js"


def told(trace, tree, iteration, detail=127):
    """Return the sentences of an iteration, phase by phase."""
    script = pack_frame(trace, View(tree, detail), iteration)["script"]
    return {phase: [text for _, text, _, _ in steps] for phase, steps in script.items()}


def paced(node, phases):
    """Return (sentence, seconds it stays) for each sentence of each phase."""
    given = json.dumps(list(phases))
    command = [node, *ARGUMENTS, str(SCRIPT)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    times = json.loads(done.stdout)
    return [[(text, t / 1000) for text, t in zip(*pair, strict=True)] for pair in zip(phases, times, strict=True)]


def reading(text):
    return pytest.approx(max(1.2, len(text) / 20))


def spoken(text):
    """What is said: all words that hold no digit, in the singular, the root as a node that has a number."""
    words = re.sub(r"\bthe root\b", "node 1", text).split()
    return [
        re.sub(r"(neuron|leave|branche|datapoint|change)s?\b", r"\1", word)
        for word in words
        if not re.search(r"\d", word)
    ]


@pytest.fixture(scope="module")
def toy():
    scene = read_lesson(shipped_texts()["idea"], {}, ADDRESS).scenes[3]
    split, config = load_run(scene.settings)
    return Trainer(split.train, config).run(8)


def test_a_phase_of_the_first_lesson_plays_in_about_forty_seconds(node, toy):
    seen = [told(toy, tree, iteration) for iteration in range(8) for tree in range(8)]
    names, phases = zip(*(phase for phases in seen for phase in phases.items()), strict=True)
    for name, texts, sentences in zip(names, phases, paced(node, phases), strict=True):
        seconds = [stays for _, stays in sentences]
        assert sum(seconds[:-1]) < 40, name  # until it rests, at the last sentence
        assert sum(seconds) < 46, name
        assert len(texts) < 30 or sum(len(text) for text in texts) / 20 > 80  # what all of them would take


@pytest.mark.parametrize("detail", [63, 599])
@pytest.mark.parametrize(
    ("settings", "data"),
    [
        ({"width": 256, "search": "watch"}, "xor"),
        ({"width": 4096, "solver": "sketch"}, "digits"),
        ({"width": 64, "fault": "skipped-repair", "solver": "exact"}, "circle"),
        ({"width": 64, "search": "dense"}, "circle"),
    ],
    ids=["watch lists", "a sketch", "a fault", "no tree"],
)
def test_a_sentence_that_says_something_new_stays_as_long_as_reading_it_takes(node, settings, data, detail):
    trace = Trainer(load_dataset(data), TrainConfig(**settings)).run(1)
    phases = told(trace, 3, 0, detail)
    if trace.config.fault:  # what gives it away is not passed over
        assert any("below it are" in text for text in phases["repair"])
    for sentences in paced(node, phases.values()):
        known = []
        for place, (text, stays) in enumerate(sentences):
            if spoken(text) not in known or place == len(sentences) - 1:
                assert stays == reading(text)
            else:
                assert stays <= 0.4
            known.append(spoken(text))
