"""Notebooks and scripts that make a moment of a run again: both are executed, and their numbers compared."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from treeviz import Dataset, Trace, TrainConfig, Trainer, load_dataset, plot_loss, plot_operations, plot_tree
from treeviz.cli import main
from treeviz.export.notebook import moment_of, pack_notebook, pack_script
from treeviz.stage.moment import Moment
from treeviz.stage.view import View

TABLE = "a,b,kind\n" + "".join(f"{i % 7},{i * i % 11},{'xyz'[i % 3]}\n" for i in range(1, 25))


def csv_data(folder):
    (folder / "my table.csv").write_text(TABLE)
    return Dataset.from_csv(folder / "my table.csv", "kind", positive="y", num_points=12, seed=3, columns=("a", "b"))


def digits(folder):
    return load_dataset("digits", 10, seed=4, center=True)


RUNS = {
    "forest": (digits, TrainConfig(width=512, seed=2), ("search", 95, (5,))),
    "watch": (digits, TrainConfig(width=300, search="watch", skin=0.1, threshold=1.5), ("repair", 127, ())),
    "csv": (csv_data, TrainConfig(width=256, method="sgd", step_size=None, search="dense"), (None, 63, ())),
}


@pytest.fixture(
    scope="module", params=["forest", *(pytest.param(name, marks=pytest.mark.slow) for name in ("watch", "csv"))]
)
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    make_data, config, moment = RUNS[request.param]
    trace = Trainer(make_data(folder), config).run(4, 0.0)
    phase, max_nodes, opened = moment
    expected = {
        "tree": plot_tree(trace, 3, 2, phase=phase, max_nodes=max_nodes, opened=opened),
        "loss": plot_loss(trace, 2),
        "operations": plot_operations(trace, 2),
    }
    return folder, trace, moment_of(trace, 3, 2, *moment), expected


@pytest.fixture(autouse=True)
def _this_treeviz(monkeypatch):
    """Have the processes of notebooks and scripts import the package that is tested, wherever they run."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))


def run_notebook(content, folder):
    notebook = nbformat.reads(content.decode(), as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


PEEK = """
import json
print(json.dumps([trace.losses.tolist(), trace.replay(3, 2).after.tolist(), trace.config.seed, data.y.tolist()]))
"""


def numbers_of(trace):
    return [trace.losses.tolist(), trace.replay(3, 2).after.tolist(), trace.config.seed, trace.dataset.y.tolist()]


def drawn(figure):
    """Return what a figure draws, as plain values; a notebook leaves out the template."""
    return json.loads(figure.to_json())["data"]


def test_a_notebook_makes_the_moment_again(made):
    folder, trace, moment, expected = made
    content = json.loads(pack_notebook(trace, moment))
    peek = {"cell_type": "code", "id": "peek", "metadata": {}, "source": PEEK, "outputs": [], "execution_count": None}
    content["cells"].append(peek)
    notebook = run_notebook(json.dumps(content).encode(), folder)
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert json.loads(outputs[-1][0].text) == numbers_of(trace)
    figures = [one.data["application/vnd.plotly.v1+json"] for cell in outputs for one in cell if "data" in one]
    assert [figure["data"] for figure in figures] == [drawn(figure) for figure in expected.values()]
    assert repr(trace.records[2]) in outputs[2][0].text


def test_a_script_makes_the_moment_again(made):
    folder, trace, moment, expected = made
    path = folder / "moment.py"
    path.write_bytes(pack_script(trace, moment) + PEEK.encode())
    done = subprocess.run([sys.executable, path], cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == numbers_of(trace)
    assert repr(trace.records[2]) in done.stdout
    for name, figure in expected.items():
        assert f"{name}.html shows the {name}" in done.stdout
        page = (folder / f"{name}.html").read_text().replace(r"\u002f", "/")
        assert json.dumps(drawn(figure)[-1]["y"], separators=(",", ":")) in page and "plotly.min.js" in page


def test_a_saved_run_gives_the_same_notebook(made, tmp_path):
    _, trace, moment, _ = made
    trace.save(tmp_path / "run.npz")
    assert pack_notebook(Trace.load(tmp_path / "run.npz"), moment) == pack_notebook(trace, moment)


@pytest.mark.slow
def test_a_file_that_is_missing_or_another_is_noticed(tmp_path):
    trace = Trainer(csv_data(tmp_path), TrainConfig(width=64)).run(2, 0.0)
    content = pack_notebook(trace, Moment())
    assert "It needs the file `my table.csv`" in json.loads(content)["cells"][0]["source"]
    (tmp_path / "my table.csv").write_text(TABLE.replace(",x", ",w").replace(",y", ",x").replace(",w", ",y"))
    with pytest.raises(CellExecutionError, match=r"is my table\.csv another file\?"):
        run_notebook(content, tmp_path)
    (tmp_path / "my table.csv").unlink()
    with pytest.raises(CellExecutionError, match="there is no file 'my table"):
        run_notebook(content, tmp_path)


def test_a_notebook_says_what_it_cannot_hold():
    trace = Trainer(load_dataset("circle"), TrainConfig(width=64, fault="strict-comparison")).run(2, 0.0)
    text = pack_notebook(trace, Moment(View(pinned=1))).decode()
    assert "comparison with a pinned iteration, which cannot be drawn" in text
    assert "planted fault “strict-comparison”" in text and "fault='strict-comparison'" in text
    assert "a step within a phase, which cannot" in pack_script(trace, Moment(step=3)).decode()
    assert "cannot" not in pack_script(trace, Moment()).decode()


def test_text_from_a_file_stays_text():
    """A name or a description from a crafted file must not become a line of the script."""
    trace = Trainer(load_dataset("circle"), TrainConfig(width=16)).run(1, 0.0)
    for break_ in ("\n", "\r", "\f", "\u2028"):
        object.__setattr__(trace.dataset, "description", f"A{break_}raise SystemExit(3)")
        object.__setattr__(trace.dataset, "name", f"a{break_}raise SystemExit(3)")
        script = pack_script(trace, Moment()).decode()
        assert "SystemExit" in script and "SystemExit" not in ast.dump(ast.parse(script))


def test_what_there_is_not_is_refused():
    trace = Trainer(load_dataset("circle", 8), TrainConfig(width=16)).run(1, 0.0)
    for moment, words in [
        (Moment(View(8)), "point must be between 0 and 7"),
        (Moment(iteration=1), "iteration must be between 0 and 0"),
        (Moment(phase=9), "phase must be between 0 and"),
        (Moment(View(opened=(40,))), "no node 40"),
    ]:
        with pytest.raises(ValueError, match=words):
            pack_notebook(trace, moment)
    with pytest.raises(ValueError, match="has no phase 'build'"):
        moment_of(trace, 0, 0, "build", 127)
    unknown = Trainer(Dataset.from_arrays([[0.0], [1.0]], [1, -1]), TrainConfig(width=16)).run(1, 0.0)
    with pytest.raises(ValueError, match="it is not known how the data 'data' were made"):
        pack_script(unknown, Moment())


# The command


def call(*arguments):
    return CliRunner().invoke(main, ["export", "notebook", *map(str, arguments)])


@pytest.mark.parametrize(("name", "pack"), [("moment.ipynb", pack_notebook), ("moment.py", pack_script)])
def test_the_command_writes_what_python_does(name, pack, tmp_path):
    data = ("--data", "digits", "--points", 10, "--width", 512, "--iterations", 4, "--until-loss", 0)
    moment = ("--tree", 3, "--iteration", 2, "--phase", "solve", "--nodes", 63, "--open", 4, "--open", 9)
    done = call(*data, *moment, "--out", tmp_path / name)
    assert done.exit_code == 0, done.output
    trace = Trainer(load_dataset("digits", 10), TrainConfig(width=512)).run(4, 0.0)
    assert (tmp_path / name).read_bytes() == pack(trace, moment_of(trace, 3, 2, "solve", 63, (4, 9)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "moment.txt"], "neither in .ipynb"),
        (["--out", "a.py", "--data", "circle", "--tree", 8], "there is no tree 8: circle has the trees 0 to 7"),
        (["--out", "a.py", "--iteration", 50], "--iteration 50 is not among"),
        (["--out", "a.py", "--phase", "build"], "--phase"),
    ],
)
def test_a_moment_that_cannot_be_is_refused_before_the_work(arguments, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Trainer, "__init__", lambda *_, **__: pytest.fail("the work has begun"))
    done = call(*arguments)
    assert done.exit_code in (1, 2) and words in done.output and "Traceback" not in done.output


def test_a_moment_that_the_run_does_not_reach_is_refused(tmp_path):
    done = call("--data", "circle", "--width", 64, "--iteration", 49, "--out", tmp_path / "a.py")
    assert done.exit_code == 1 and "iteration must be between 0 and" in done.output
    assert list(tmp_path.iterdir()) == []
