"""Quizzes: questions that fit any run, dealt at random from one."""

from dataclasses import replace

import numpy as np

from treeviz.lesson.scenes.lesson_file import Lesson, Scene
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.training.trace import Trace

# Questions are about the first iterations, so that however far a run has come, a seed deals the same of it.
NUM_ITERATIONS = 4
_TRIES = 12  # moments tried for a question that cannot be asked at the first


def deal(templates: Lesson, trace: Trace, names: tuple[str, str], seed: int, count: int = 5) -> Lesson:
    """Return a lesson of `count` questions about a run, fewer if fewer can be asked of it.

    Parameters
    ----------
    templates : scenes with questions; each is used at most once, at a tree and an iteration of its own.
    trace : a run that is over, or has come to NUM_ITERATIONS records at least; one record is needed.
    names : what an address calls the tree and the iteration.
    seed : the same run and seed give the same questions.
    """
    rng = np.random.default_rng(seed)
    scenes: list[Scene] = []
    for place in rng.permutation(len(templates.scenes)):
        template = templates.scenes[place]
        for _ in range(_TRIES):
            tree = int(rng.integers(trace.dataset.num_points))
            iteration = int(rng.integers(min(len(trace.records), NUM_ITERATIONS)))
            if _can_be_asked(template, TreeMoment(trace, tree, iteration)):
                moment = {**template.moment, names[0]: str(tree), names[1]: str(iteration)}
                scenes.append(replace(template, settings=None, moment=moment))
                break
        if len(scenes) == count:
            break
    return replace(templates, scenes=tuple(scenes))


def _can_be_asked(scene: Scene, moment: TreeMoment) -> bool:
    """Return whether a question has an answer there, and one that is not empty."""
    if scene.question is None:
        return False
    try:
        answer = scene.question.answer(moment)
    except ValueError:
        return False
    return bool(answer["right"] != [])
