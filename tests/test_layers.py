"""The architecture's one rule: imports point one way, and only the pages and the stage's component know Streamlit."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "treeviz"

# What each module may import of treeviz; everything else is a wrong turn.
CORE = {
    "network",
    "config",
    "ledger",
    "csv_data",
    "data",
    "datasets",
    "forest",
    "kernels",
    "compiled",
    "watch_loops",
    "screening",
    "watch",
    "kernel",
    "regression",
    "engines",
    "neuron_trees",
}
ALLOWED = {
    "network": set(),
    "ledger": set(),
    "csv_data": set(),
    "kernels": set(),
    "config": {"network"},
    "data": {"csv_data"},
    "datasets": {"data"},
    "compiled": set(),
    "forest": {"network", "compiled"},
    "watch_loops": set(),
    "screening": {"compiled", "forest", "ledger", "network"},
    "watch": {"compiled", "kernel", "network", "screening"},
    "regression": {"network", "ledger"},
    "neuron_trees": {"forest", "network"},
    "engines": CORE - {"csv_data", "data", "datasets"},
    "trace": {"network", "config", "ledger", "data", "forest", "regression", "trace_file"},
    "trace_file": {"config", "data", "ledger", "regression", "trace"},
    "trainer": CORE | {"trace"},
    "theory": {"ledger", "network", "regression", "trace"},
    "glossary": set(),
    "views": {"data", "network", "race", "theory", "trace", "views"},
    "verify": {"forest", "network", "trace"},
    "kernel": {"network"},
    "race": {"config", "data", "engines", "kernel", "network", "trainer", "race"},
    "contestants": {"config", "data", "engines", "forest", "kernel", "ledger", "network", "regression", "race"},
    "background": {"config", "data", "engines", "trace", "trainer", "verify"},
    "bench": {"bench", "compiled", "config", "data", "datasets", "engines", "trainer", "views", "watch"},
    "stage": {"config", "network", "trace", "background", "verify", "views", "stage"},
    "literature": set(),
    "papermap": {"literature", "papermap"},
    "pages": CORE
    | {"trace", "background", "views", "stage", "race", "contestants", "pages"}
    | {"glossary", "literature", "papermap", "theory"},
    "cli": CORE | {"trace", "trainer", "bench", "race", "contestants", "pages"},
}


def modules():
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    for name in imported(path):
        if name.startswith("treeviz"):
            assert name != "treeviz", "import the module, not the package"
            assert name.split(".")[1] in ALLOWED[room(path)], f"{path.name} imports {name}"
        if name.split(".")[0] == "streamlit":
            assert room(path) == "pages" or path.name == "component.py"


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
