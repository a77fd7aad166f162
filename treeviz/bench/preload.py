"""Imported by the server of `memory` alone, and for its effect: compiled loops are loaded before it forks."""

import gc

from treeviz.search.compiled import load_loops

load_loops("forest.loops")
load_loops("watch.loops")
# Looking for garbage among all that is loaded would take a forked process longer than a small training does.
gc.freeze()
