"""The documents: citations and links lead somewhere, and figures that can be computed cheaply are computed again."""

import math
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.cli import main
from treeviz.model.infinite_width import shifted_ntk
from treeviz.model.network import firing_probability
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.forecast import expected_workload
from treeviz.race.race import Race

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "treeviz"
ALGORITHM = (PACKAGE / "algorithm.md").read_text()
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted(PACKAGE.glob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]
# Sections of other works; every other § is one of algorithm.md.
FOREIGN = ("Golub and Van Loan, §10.2",)


def section(number):
    return re.search(rf"^## {number}\. .*?(?=^## |\Z)", ALGORITHM, re.MULTILINE | re.DOTALL).group()


def rows_after(text, heading):
    """Return the cells of the table whose head begins like this, row by row."""
    lines = text[text.index(heading) :].splitlines()[2:]
    table = lines[: next((i for i, line in enumerate(lines) if not line.strip().startswith("|")), None)]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table]


def options_of(text):
    """Read "dimension=64" or "center=True" as keyword arguments."""
    pairs = [part.split("=") for part in text.split(", ") if part]
    return {name: value == "True" if value in ("True", "False") else int(value) for name, value in pairs}


# Citations


def sections_of(text):
    """Return every section and numbered item of a document: {"1", "3", "3.7"}."""
    found, current = set(), ""
    for line in text.splitlines():
        if heading := re.match(r"#+ (\d+(?:\.\d+)*)\.? ", line):
            current = heading[1]
            found.add(current)
        elif current and (item := re.match(r"(\d+)\. ", line)):
            found.add(f"{current}.{item[1]}")
    return found


def citations(text):
    """Return the sections that a text cites, the steps in "§3, steps 3 to 6" as 3.3 and 3.6."""
    for other in FOREIGN:
        text = text.replace(other, "")
    cited = re.findall(r"§\s*(\d+(?:\.\d+)*)", text)
    for number, first, last in re.findall(r"§(\d+), steps (\d+) to (\d+)", text):
        cited += [f"{number}.{first}", f"{number}.{last}"]
    assert text.count("§") == len(re.findall(r"§\s*\d", text)) + text.count("`§`"), "a § without a number"
    return cited


def test_every_section_cited_exists():
    files = [path for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob("*")]
    texts = {path: path.read_text() for path in files if path.suffix in {".py", ".js", ".toml", ".md", ".html"}}
    cited = {
        (str(path.relative_to(ROOT)), number)
        for path, text in texts.items()
        if path != Path(__file__)
        for number in citations(text)
    }
    assert len({path for path, _ in cited}) > 10
    known = sections_of(ALGORITHM)
    assert [one for one in sorted(cited) if one[1] not in known] == []


def test_a_citation_of_what_does_not_exist_is_found():
    known = sections_of("# T\n\n## 1. A\n\n1. x\n2. y\n   10. no\n\n## 2. B\n\n### 2.4 C\n")
    assert known == {"1", "1.1", "1.2", "2", "2.4"}
    assert citations("see §1.2, §2 to §3 (§ 4)") == ["1.2", "2", "3", "4"]
    assert citations("§3, steps 3 to 6") == ["3", "3.3", "3.6"]
    assert citations(FOREIGN[0]) == []


# Links, paths, pictures


def anchors(path):
    """Return the anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(path):
    text = path.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        if not link.startswith("https://"):
            assert (path.parent / file).exists(), link
            assert not anchor or anchor in anchors(path.parent / file), link
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", text)
    missing = {name for name in named if not (ROOT / name).exists() and not (PACKAGE / name).exists()}
    assert not missing


def test_every_picture_is_shown_and_small():
    text = "".join(path.read_text() for path in DOCUMENTS)
    for picture in (ROOT / "assets").iterdir():
        assert f"assets/{picture.name}" in text, f"no document shows {picture.name}"
        assert picture.stat().st_size < 150_000, picture.name


def test_every_room_is_described():
    text = (PACKAGE / "README.md").read_text()
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `(\w+)/` \|", text, flags=re.MULTILINE))


WORDS = r"(nobody|everybody|somebody|anybody|whoever|whosoever|lest|hence|thence|besides|thereof|whilst|anew|outright)"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_plain_words(path):
    assert re.findall(rf"\b{WORDS}\b", path.read_text(), flags=re.IGNORECASE) == []


# Configuration that repeats other configuration


def test_pre_commit_checks_what_ci_checks():
    hooks = re.findall(r"^ +entry: (.*)$", (ROOT / ".pre-commit-config.yaml").read_text(), flags=re.MULTILINE)
    run = [line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert hooks == [line for line in run if re.match(r"(\.venv/bin/(ruff|mypy)|npm .* run)\b", line)]


def test_ci_runs_on_every_supported_python():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    versions = re.findall(r'"(3\.\d+)"', workflow)
    assert versions == [f"3.{minor}" for minor in range(11, 15)]
    assert f'requires-python = ">={versions[0]}"' in (ROOT / "pyproject.toml").read_text()
    assert "- run: .ci/run\n" in workflow


def test_python_m_treeviz_and_its_version():
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)[1]
    for program in ([sys.executable, "-m", "treeviz"], [str(Path(sys.executable).with_name("treeviz"))]):
        done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.split()[-1] == version


@pytest.mark.slow
def test_the_wheel_holds_what_the_package_reads(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files", "treeviz"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) - packed == set()
    assert {"treeviz/algorithm.md", "treeviz/README.md", "treeviz/py.typed", "treeviz/__main__.py"} <= packed


# Figures


def test_firing_counts_and_the_bound_on_them():
    for width, firing, looseness in rows_after(ALGORITHM, "| m | expected k_i"):
        m = int(width.replace(",", ""))
        b = TrainConfig(width=m).resolved_threshold
        p = 0.5 * math.erfc(b / math.sqrt(2))
        assert math.exp(-b * b / 2) == pytest.approx(m**-0.24)
        assert p <= 0.5 * m**-0.24
        assert m * p == pytest.approx(int(firing.replace(",", "")), rel=0.015)
        assert m**-0.24 / p == pytest.approx(float(looseness), abs=0.06)


def condition_number(data, b):
    values = np.linalg.eigvalsh(shifted_ntk(data.X, data.X, b))
    return values[-1] / values[0]


def test_growth_of_the_expected_firing_neurons():
    claims = re.findall(r"like m\^(0\.\d+)\s+around\s+m = 2\^(\d+)", section(10))
    assert len(claims) == 2
    for exponent, power in ((float(first), int(second)) for first, second in claims):
        expected = [m * firing_probability(math.sqrt(0.48 * math.log(m))) for m in (2.0**power, 2.0 ** (power + 1))]
        assert math.log2(expected[1] / expected[0]) == pytest.approx(exponent, abs=0.005)


def test_condition_numbers():
    b = TrainConfig(width=65_536).resolved_threshold
    for name, options, n, plain, shifted in rows_after(ALGORITHM, "| data | options | n | κ at b = 0"):
        data = load_dataset(name, int(n), **options_of(options))
        assert condition_number(data, 0.0) == pytest.approx(float(plain.replace(",", "")), rel=0.02)
        assert condition_number(data, b) == pytest.approx(float(shifted), rel=0.02)
    text = " ".join(section(5).split())
    assert "1.4 on sphere with n = d = 16 and 1.2 with n = d = 64; it is 3.9 with n = 200, d = 16, and 351 with" in text
    for n, d, expected in ((16, 16, 1.4), (64, 64, 1.2), (200, 16, 3.9), (200, 4, 351)):
        assert condition_number(load_dataset("sphere", n, dimension=d), b) == pytest.approx(expected, rel=0.04)
    assert "For 200 digits it is 288, and 17 once they are centred" in text
    for center, expected in ((False, 288), (True, 17)):
        assert condition_number(load_dataset("digits", 200, center=center), b) == pytest.approx(expected, rel=0.02)


def test_growth_of_expected_operations():
    text = " ".join(section(5).split())
    assert "as m^0.97 with building and m^0.79 without at n = d = 16, and as m^0.98 and m^0.81 at n = d = 64" in text
    widths = [1 << power for power in range(14, 23, 2)]
    for n, with_building, without in ((16, 0.97, 0.79), (64, 0.98, 0.81)):
        data = load_dataset("sphere", n, dimension=n)
        loads = [expected_workload(data.X, TrainConfig(width=width, solver="exact")) for width in widths]
        forecasts = [CONTESTANTS["forest"].forecast(load) for load in loads]
        totals = [forecast.total(4) for forecast in forecasts]
        iterations = [4 * sum(forecast.iteration.values()) for forecast in forecasts]
        for costs, expected in ((totals, with_building), (iterations, without)):
            assert np.polyfit(np.log(widths), np.log(costs), 1)[0] == pytest.approx(expected, abs=0.006)


def moves_to_a_small_loss(name, options, n, width, b):
    """Return the number of moves until the loss is at most 1e-6, or "not within 300"."""
    threshold = None if b == "paper" else float(b)
    config = TrainConfig(width=width, threshold=threshold, search="watch", solver="exact")
    trainer = Trainer(load_dataset(name, n, **options), config, keep_records=False)
    for moves in range(301):
        if trainer.advance() <= 1e-6:
            return str(moves)
    return "not within 300"


MOVES = rows_after(ALGORITHM, "| data | options | n | m | b | moves |")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[pytest.mark.slow] if row[2] == "200" or row[-1] == "not within 300" else [])
        for row in MOVES
    ],
    ids=" ".join,
)
def test_moves_to_a_small_loss(row):
    name, options, n, width, b, moves = row
    assert moves_to_a_small_loss(name, options_of(options), int(n), int(width.replace(",", "")), b) == moves


RIVALS = rows_after(ALGORITHM, "| data | options | n | m | forest | compact table")


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=[] if row[0] == "sphere" else [pytest.mark.slow]) for row in RIVALS],
    ids=lambda row: " ".join(row[:4]),
)
def test_operations_to_a_small_loss(row):
    """Building, all iterations before the loss is reached, and what it takes to know the loss; a mean iteration."""
    name, options, n, width, *figures = row
    data, m = load_dataset(name, int(n), **options_of(options)), int(width.replace(",", ""))
    searches = ("forest", "table", "dense-sparse", "dense")
    for search, figure in zip(searches, figures, strict=True):
        trace = Trainer(data, TrainConfig(width=m, search=search, solver="exact")).run(100, 1e-6)
        *before, last = trace.records
        iterations = sum(record.num_operations for record in before)
        total = sum(trace.build_costs.values()) + iterations + last.costs["search"] + last.costs["forward"]
        stated, in_brackets = (float(part.strip("()").replace(",", "")) for part in figure.split())
        assert last.loss <= 1e-6 and total == pytest.approx(1e6 * stated, rel=0.006), search
        assert iterations / len(before) == pytest.approx(1e6 * in_brackets, rel=0.006), search


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[] if row[0] == "sphere" else [pytest.mark.slow])
        for row in rows_after(ALGORITHM, "| data | n | m | L-BFGS: iterations")
    ],
    ids=lambda row: " ".join(row[:3]),
)
def test_operations_of_optimizers_to_a_small_loss(row):
    name, n, width, iterations, *figures = row
    config = TrainConfig(width=int(width.replace(",", "")), solver="exact")
    lbfgs, adam_iterations, adam, forest = figures
    stated = {"l-bfgs": (iterations.split()[0], lbfgs), "adam": (adam_iterations, adam), "forest": ("", forest)}
    contestants = [CONTESTANTS[key] for key in stated]
    race = Race(load_dataset(name, int(n)), contestants, config, until_loss=1e-6, max_seconds=math.inf)
    race.run()
    for lane, (laps, operations) in zip(race.lanes, stated.values(), strict=True):
        lap = lane.lap_reaching(1e-6)
        assert laps in ("", str(lap))
        assert lane.column("operations")[lap] == pytest.approx(1e6 * float(operations.replace(",", "")), rel=0.006)


def test_the_table_needs_fewer_operations_than_the_forest_in_every_row():
    assert len(RIVALS) == 8
    for row in RIVALS:
        forest, table = ([float(part.strip("()").replace(",", "")) for part in cell.split()] for cell in row[4:6])
        assert table[0] < forest[0] and table[1] < forest[1], row


def test_products_with_g_by_rows_of_the_sketch():
    text = " ".join(section(3).split())
    assert "13–19, 10–14, 9–11 and 8–9 products for c = 4, 8, 16 and 32" in text
    for rows, low, high in ((4, 13, 19), (8, 10, 14), (16, 9, 11), (32, 8, 9)):
        for name in ("sphere", "digits"):
            config = TrainConfig(width=16_384, solver="sketch", sketch_factor=rows, tolerance=1e-6)
            for record in Trainer(load_dataset(name), config).run(3, 0.0).records:
                assert low <= record.solve.iterations <= high


# The README's examples


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "width=65_536" in example
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(example.replace("width=65_536", "width=4_096"), "README.md", "exec"), names)
    assert (tmp_path / "run.npz").exists()
    trace, printed = names["trace"], capsys.readouterr().out
    assert str(trace.losses) in printed and str(trace.records[2].firing[3]) in printed
    assert trace.losses[-1] <= 1e-10
    assert len(names["figure"].data) > 5 and names["figure"].to_json()


def test_the_commands_are_understood(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"## On the command line\n\n```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert {line[1] for line in lines} == set(main.commands)
    exports = main.commands["export"].commands
    assert {line[2] for line in lines if line[1] == "export"} == set(exports)
    for _, name, *arguments in lines:
        command = main.commands[name]
        if name == "export":
            command = exports[arguments.pop(0)]
        values = command.make_context(name, arguments).params
        if name == "race":
            assert set(values["methods"].split(",")) <= set(CONTESTANTS)
