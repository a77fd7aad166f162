"""The architecture's one rule: imports point one way, and only the pages and the stage's component know Streamlit."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "treeviz"

# What each room may import of the others, from the lowest floor up; everything else is a wrong turn.
BASE = {"data", "model"}
CORE = BASE | {"solve", "search"}
ALLOWED = {
    "model": set(),
    "data": {"model"},
    "solve": {"model"},
    "search": BASE | {"solve"},
    "training": CORE,
    "style": CORE | {"training"},
    "race": CORE | {"training", "style"},
    "stage": CORE | {"training", "style"},
    "lesson": CORE | {"training", "style", "race"},
    "related": {"style"},
    "bench": CORE | {"training", "style"},
    "export": CORE | {"training", "style", "race", "stage", "lesson", "related"},
    "lab": CORE | {"training", "style", "race", "export"},
    "pages": CORE | {"lab", "training", "style", "race", "stage", "lesson", "related", "export", "pages"},
    "serving": {"training", "lesson"},  # starts the app in processes: with a share of the memory each, and polls of all
    "interrupts": set(),
    "output": set(),
    "cli": CORE
    | {"training", "bench", "export", "pages", "serving", "interrupts", "output"}
    | {"cli_options", "cli_export", "cli_drawn", "cli_race", "cli_sweep", "cli_cluster"},
    "cli_cluster": CORE | {"training", "output", "cli_options"},
    "cli_options": CORE | {"training"},
    "cli_export": CORE | {"training", "lesson", "stage", "export", "output", "cli_options"},
    "cli_drawn": CORE | {"training", "style", "lesson", "export", "cli_options", "cli_export"},
    "cli_race": CORE | {"race", "export", "output", "cli_options", "cli_export"},
    "cli_sweep": {"lab", "training", "output", "cli_export"},
    "__main__": {"interrupts", "cli"},
}


def modules():
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


@functools.cache
def nodes_of(path):
    return list(ast.walk(ast.parse(path.read_text())))


def imported(path):
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("own", sorted(set(map(room, modules()))))
def test_imports_point_one_way(own):
    for path in modules():
        for name in imported(path) if room(path) == own else ():
            if name.startswith("treeviz"):
                assert name != "treeviz", f"{path.name}: import the module, not the package"
                assert name.split(".")[1] in ALLOWED[own] | {own}, f"{path.name} imports {name}"
            if name.split(".")[0] == "streamlit":
                assert own == "pages" or path.name == "component.py", path.name


GROWING = {"Trace"}  # the only dataclass that changes: it takes in a record an iteration


def dataclasses():
    """Yield every dataclass of the package, and how it is decorated."""
    for path in modules():
        for node in nodes_of(path):
            for decorator in getattr(node, "decorator_list", []):
                if ast.unparse(decorator).startswith("dataclass"):
                    keywords = getattr(decorator, "keywords", [])
                    yield node, {one.arg: ast.literal_eval(one.value) for one in keywords}


def test_dataclasses_are_frozen_and_those_of_arrays_are_not_compared():
    """Arrays have no truth value, so `==` between two objects that hold some would raise."""
    found = list(dataclasses())
    assert len(found) > 50
    for node, options in found:
        assert options.get("frozen", False) == (node.name not in GROWING), node.name
        types = " ".join(ast.unparse(field.annotation) for field in node.body if isinstance(field, ast.AnnAssign))
        if re.search(r"\b(Floats|Ints|NDArray)\b", types):
            assert options.get("eq", True) is False, node.name


def test_core_needs_no_user_interface_and_no_compiler():
    code = (
        "import sys; from treeviz import Trainer, TrainConfig, load_dataset;"
        "Trainer(load_dataset('circle'), TrainConfig(width=64)).run(3);"
        "print([name for name in ('streamlit', 'plotly', 'pandas', 'sklearn', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ci_runs_the_test_command_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^python3 -m venv .*$", readme, flags=re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text().splitlines()
