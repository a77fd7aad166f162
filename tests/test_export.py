"""`treeviz export`: files that hold a run's numbers, read by others, and what is refused before any work."""

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import treeviz
from treeviz import Dataset, Trace, TrainConfig, Trainer, load_dataset, load_split
from treeviz.cli import main
from treeviz.cli_drawn import _CHARTS
from treeviz.data.source import Source
from treeviz.export.columns import FORMATS, RACE_TABLES, RUN_TABLES
from treeviz.export.page_tables import pack_charts, pack_papers
from treeviz.export.race import pack_forecast, pack_race
from treeviz.export.records import make_table, pack_records
from treeviz.export.tables import read_tables
from treeviz.lesson.facts import Facts
from treeviz.lesson.sections import make_sections
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_figures import Curve
from treeviz.race.forecast import expected_workload
from treeviz.race.race import Race
from treeviz.race.report import as_json
from treeviz.related.literature import load_papers
from treeviz.style.run_charts import RUN_CHARTS
from treeviz.training import finished


def call(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


TABLE = "a,b,kind\n" + "".join(f"{i % 7},{i * i % 11},{'xyz'[i % 3]}\n" for i in range(1, 25))


def csv_data(folder):
    (folder / "table.csv").write_text(TABLE)
    return Dataset.from_csv(folder / "table.csv", "kind", positive="y", leave_out="b", num_points=12, seed=3)


RUNS = {
    "forest": lambda folder: (load_dataset("digits", 10, target="is-3"), TrainConfig(width=512, seed=2)),
    "watch": lambda folder: (load_dataset("sphere"), TrainConfig(width=300, search="watch", skin=0.1)),
    "sgd": lambda folder: (csv_data(folder), TrainConfig(width=256, method="sgd", step_size=None, search="dense")),
    "singular": lambda folder: (load_dataset("xor"), TrainConfig(width=16, threshold=2.5, search="neuron-trees")),
}


@pytest.fixture(params=RUNS)
def trace(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Trainer(*RUNS[request.param](tmp_path)).run(4, 0.0)


def values_of(frame):
    return {name: [None if value is pd.NA else value for value in frame[name]] for name in frame}


@pytest.mark.parametrize(
    ("format", "table"), [*((format, table) for format in ("csv", "parquet") for table in RUN_TABLES), ("json", "all")]
)
def test_tables_come_back_as_they_went(trace, format, table, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pack_records(trace, format) if format == "json" else pack_records(trace, format, table))
    about, tables = read_tables(path)
    assert set(tables) == ({table} if table != "all" else set(RUN_TABLES))
    for name, read in tables.items():
        assert list(read) == list(RUN_TABLES[name])
        assert values_of(read) == values_of(make_table(trace, name))
        units = about["units"] if table != "all" else about["units"][name]
        assert set(units) == set(read) and all(units.values())


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_the_losses_of_the_dense_run_beside_it_come_back(format, circle, tmp_path):
    dense = Trainer(load_dataset("circle"), TrainConfig(width=64, solver="exact", search="dense")).run(3, 0.0)
    (tmp_path / "file").write_bytes(pack_records(circle, format, dense=dense))
    about, tables = read_tables(tmp_path / "file")
    records = tables["records"]
    assert values_of(records)["dense_loss"] == [*dense.losses, *[None] * (len(records) - 3)]
    assert records.loss.tolist() == circle.losses.tolist()
    assert TrainConfig(**about["dense_config"]) == dense.config


def test_tables_say_what_the_run_did(trace):
    records, ledger, points = (make_table(trace, name) for name in RUN_TABLES)
    assert records.loss.tolist() == trace.losses.tolist()
    assert records.status.tolist() == [record.status for record in trace.records]
    for record, row in zip(trace.records, values_of(records.T).values(), strict=True):
        row = dict(zip(records, row, strict=True))
        assert row["num_firing"] == sum(len(fired) for fired in record.firing)
        assert row["num_visited"] == record.num_visited.sum() and row["num_modified"] == record.num_modified.sum()
        assert row["num_due"] == (record.watch.num_due if record.watch else None)
        assert row["conditioning"] == (
            record.solve.conditioning if np.isfinite(record.solve.conditioning or np.inf) else None
        )
    build = ledger[ledger.iteration.isna()]
    assert dict(zip(build.phase, build.operations, strict=True)) == dict(trace.build_costs)
    assert ledger.operations.sum() == sum(trace.build_costs.values()) + records.operations.sum()
    assert ledger.dense_operations.sum() == records.dense_operations.sum()
    assert ledger.seconds.sum() == pytest.approx(sum(trace.build_seconds.values()) + records.seconds.sum())
    n = trace.dataset.num_points
    assert points.point.tolist() == [*range(n)] * len(trace.records)
    last = points.tail(n)
    assert last.residual.tolist() == trace.records[-1].residual.tolist()
    assert (last.output - last.target).tolist() == last.residual.tolist()
    assert {int(i): why for i, why in zip(last.point, last.unlearnable, strict=True) if why is not pd.NA} == dict(
        trace.records[-1].unlearnable
    )
    if trace.config.search == "forest":
        assert last.num_visited.tolist() == trace.records[-1].num_visited.tolist()
    else:
        assert last.num_visited.isna().all()


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_a_reader_can_make_the_run_again(trace, format, tmp_path):
    (tmp_path / "file").write_bytes(pack_records(trace, format))
    about, tables = read_tables("file")
    assert about["treeviz"] == treeviz.__version__
    data = eval(about["data"]["python"], {"Dataset": Dataset, "load_dataset": load_dataset})
    assert Source.from_values(about["data"]["source"]) == data.source
    again = Trainer(data, TrainConfig(**about["config"])).run(about["num_iterations"], 0.0)
    assert again.losses.tolist() == tables["records"].loss.tolist()


def test_other_programs_read_the_tables(trace):
    expected = make_table(trace, "records")
    plain = pd.read_csv(io.BytesIO(pack_records(trace, "csv")), comment="#")
    assert list(plain) == list(expected) and plain.loss.tolist() == pytest.approx(expected.loss.tolist(), rel=1e-15)
    packed = pack_records(trace, "parquet")
    assert pd.read_parquet(io.BytesIO(packed)).loss.tolist() == expected.loss.tolist()
    schema = pq.read_schema(io.BytesIO(packed))
    assert schema.field("seconds").metadata == {b"unit": b"seconds of wall-clock time"}
    values = json.loads(pack_records(trace, "json"))
    assert [row["loss"] for row in values["records"]] == expected.loss.tolist()


def test_the_trace_is_one_of_the_formats(trace):
    again = Trace.load(io.BytesIO(pack_records(trace, "npz")))
    assert again.losses.tolist() == trace.losses.tolist() and again.dataset.source == trace.dataset.source
    assert np.array_equal(again.tree_values(3, 2), trace.tree_values(3, 2))


def test_a_faulty_run_says_so_and_is_no_trace():
    trace = Trainer(load_dataset("circle"), TrainConfig(width=64, fault="strict-comparison")).run(2, 0.0)
    assert b"with the planted fault strict-comparison;" in pack_records(trace, "csv").split(b"\n")[0]
    assert json.loads(pack_records(trace, "json"))["about"]["config"]["fault"] == "strict-comparison"
    with pytest.raises(ValueError, match="is not saved"):
        pack_records(trace, "npz")


def test_data_that_cannot_be_made_again_are_not_said_to_be():
    data = Dataset.from_arrays([[0.0], [1.0], [3.0]], [1, -1, 1])
    about = json.loads(pack_records(Trainer(data, TrainConfig(width=64)).run(2), "json"))["about"]
    assert about["data"]["source"] is None and about["data"]["python"] is None
    assert Dataset.from_csv(io.StringIO(TABLE), "kind", positive="x").source is None


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1PAR1", b"{}", b"# treeviz", b"\x93NUMPY", b"[1]"])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="holds no tables of treeviz"):
        read_tables(tmp_path / "file")


def test_unknown_formats_and_tables_are_refused():
    trace = Trainer(load_dataset("circle"), TrainConfig(width=16)).run(1)
    for arguments in (("xml",), ("csv", "nodes")):
        with pytest.raises(ValueError, match=r"must be one of 'csv'|must be one of 'records'"):
            pack_records(trace, *arguments)


# A race


@pytest.fixture(scope="module")
def race():
    split = load_split("digits", 10)
    keys = ("forest", "dense", "sgd-dense")
    config = TrainConfig(width=256, seed=3)
    race = Race(split.train, [CONTESTANTS[key] for key in keys], config, max_laps=5, max_seconds=60, test=split.test)
    race.run()
    return race


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_a_race_comes_back_as_it_went(race, format, tmp_path):
    tables = {}
    for table in RACE_TABLES:
        (tmp_path / "file").write_bytes(pack_race(race, format, table, node_price=10))
        about, read = read_tables(tmp_path / "file")
        tables |= read
    report = as_json(race, race.until_loss, 10)
    assert TrainConfig(**about["config"]) == race.config and about["node_price"] == 10
    assert about["data"]["python"] == race.data.source.as_python()
    for contestant in report["contestants"]:
        laps = tables["laps"][tables["laps"].contestant == contestant["key"]]
        assert laps.iteration.tolist() == [*range(len(laps))] and len(laps)
        for name, values in contestant["laps"].items():
            assert [None if value is pd.NA else value for value in laps[name]] == values
        (row,) = tables["contestants"][tables["contestants"].contestant == contestant["key"]].to_dict("records")
        for name in ("title", "state", "num_bytes", "test_error", "build_operations", "build_seconds"):
            assert row[name] == contestant[name], name
        reached = contestant["to_loss"] or dict.fromkeys(("iterations", "operations", "seconds"))
        assert {name: None if (one := row[f"to_loss_{name}"]) is pd.NA else one for name in reached} == reached
        phases = tables["phases"][tables["phases"].contestant == contestant["key"]]
        assert dict(zip(phases.phase, phases.operations, strict=True)) == contestant["costs"]
    if format == "json":
        assert about["verdict"] == report["verdict"]


def test_units_of_a_race_are_said(race):
    header = pack_race(race, "csv").decode().split("\n")[0]
    assert header.startswith(f"# treeviz {treeviz.__version__}, laps of a race; ")
    for format, table in (("npz", "laps"), ("csv", "records")):
        with pytest.raises(ValueError, match="must be one of"):
            pack_race(race, format, table)


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_a_forecast_comes_back_as_it_went(format, tmp_path):
    data, config = load_dataset("sphere"), TrainConfig(width=512, seed=1)
    widths = np.array([64, 512])
    curves = [Curve("Forest", 0, np.array([1e6, 2.5e6]), [(512, 2.25e6)]), Curve("Dense", 1, np.array([3e6, 1e9]))]
    options = {"iterations": {"gauss-newton": 7}, "dimension": 16, "node_price": 3}
    (tmp_path / "file").write_bytes(pack_forecast(curves, widths, data, config, format, **options))
    about, tables = read_tables(tmp_path / "file")
    assert tables["forecast"].to_numpy().tolist() == [
        ["Forest", 64, "expected", 1e6], ["Forest", 512, "expected", 2.5e6], ["Forest", 512, "measured", 2.25e6],
        ["Dense", 64, "expected", 3e6], ["Dense", 512, "expected", 1e9],
    ]  # fmt: skip
    assert about.items() >= options.items() and TrainConfig(**about["config"]) == config


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_the_charts_of_the_lesson_come_back_as_they_are_drawn(format, circle, tmp_path):
    figures = {section.title: section.chart(Facts(circle)) for section in make_sections(Facts(circle))}
    (tmp_path / "file").write_bytes(pack_charts(circle, figures, format))
    about, tables = read_tables(tmp_path / "file")
    charts = tables["charts"]
    assert TrainConfig(**about["config"]) == circle.config and list(dict.fromkeys(charts.chart)) == list(figures)
    losses = charts[charts.y_title == "loss ½‖f − y‖²"]
    assert losses.x.tolist() == [*range(len(circle.records))] and losses.y.tolist() == circle.losses.tolist()
    sparsity = charts[(charts.chart == "Why few neurons fire") & (charts.x == 64)]
    values = dict(zip(sparsity.curve, sparsity.y, strict=True))
    assert values["all m neurons"] == 64 and values["the bound m^0.76"] == pytest.approx(64**0.76)
    assert values["this run"] == circle.records[0].firing.counts.mean()


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_the_papers_come_back_as_they_are_listed(format, tmp_path):
    (tmp_path / "file").write_bytes(pack_papers(load_papers(), format))
    papers = read_tables(tmp_path / "file")[1]["papers"]
    for name in ("title", "year", "adds"):
        assert papers[name].tolist() == [getattr(paper, name) for paper in load_papers()]
    assert [names.split("; ") for names in papers.authors] == [list(paper.authors) for paper in load_papers()]


def test_a_source_from_a_crafted_file_is_no_code():
    with pytest.raises(ValueError, match="is no name"):
        Source.from_values({"dataset": "circle", "file": "", "options": {"n=1); print(1": 2}})


# The command


@pytest.mark.parametrize("format", FORMATS)
def test_records_are_written_by_the_options_of_run(format, tmp_path):
    path = tmp_path / f"run.{format}"
    path.write_text("an older file")
    done = call("records", "--data", "sphere", "--width", 256, "--iterations", 3, "--until-loss", 0, "--out", path)
    assert done.exit_code == 0, done.output
    expected = Trainer(load_dataset("sphere"), TrainConfig(width=256)).run(3, 0.0)
    read = Trace.load(path).losses if format == "npz" else read_tables(path)[1]["records"].loss
    assert read.tolist() == expected.losses.tolist()
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def read_chart(path):
    """Return what an SVG chart shows, read off its axes: a list of points a curve, by colour and dash; the line's x."""
    root = ElementTree.fromstring(path.read_bytes())
    parts = [*root.iter()]
    texts = [(part.text, part.attrib) for part in parts if part.tag.endswith("text")]
    rows = [(at["y"], text) for text, at in texts if at.get("text-anchor") == "end"]
    columns = [(at["x"], text) for text, at in texts if at.get("text-anchor") == "middle" and text.isdigit()]
    powers = [int(text[2:].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) for _, text in rows]
    y_scale = np.polyfit([float(y) - 4 for y, _ in rows], powers, 1)  # words stand 4 below their line
    x_scale = np.polyfit([float(x) for x, _ in columns], [int(text) for _, text in columns], 1)
    curves = {}
    for part in parts:
        if (path := part.get("d", "")).startswith("M") and "L" in path:
            points = np.array([list(map(float, point.split())) for point in re.findall(r"[\d.]+ [\d.]+", path)])
            kind = (part.get("stroke"), part.get("stroke-dasharray"))
            curves[kind] = curves.get(kind) or [
                np.polyval(x_scale, points[:, 0]),
                10 ** np.polyval(y_scale, points[:, 1]),
            ]
    (line,) = (part.get("transform") for part in parts if part.get("class") == "cursor")
    words = [text for text, at in texts if "x" in at and "text-anchor" not in at]
    return curves, np.polyval(x_scale, float(line[10:-1])), words, root


def test_a_chart_has_the_numbers_of_the_run(tmp_path):
    arguments = ("--data", "sphere", "--width", 256, "--iterations", 4, "--until-loss", 0, "--iteration", 2)
    run = Trainer(load_dataset("sphere"), TrainConfig(width=256)).run(4, 0.0)
    blue, orange, green = "#2B8CCB", "#E69F00", "#009E73"
    for name, first, expected in [
        ("loss", 0, {(blue, None): run.losses}),
        (
            "operations",
            1,
            {
                (blue, None): run.amortized(),
                (blue, "2 4"): run.amortized(include_build=False),
                (orange, None): run.amortized(of="dense"),
                (green, "8 5"): run.amortized(of="table"),
            },
        ),
        ("seconds", 1, {(blue, None): None, (blue, "2 4"): None, (orange, None): None}),
    ]:
        out = tmp_path / f"{name}.svg"
        done = call("chart", *arguments, "--chart", name, "--out", out)
        assert done.exit_code == 0, done.output
        curves, line, words, root = read_chart(out)
        assert line == pytest.approx(2 + first, abs=0.01) and set(curves) == set(expected)
        for kind, values in expected.items():
            assert curves[kind][0] == pytest.approx(np.arange(4) + first, abs=0.01)
            assert values is None or curves[kind][1] == pytest.approx(values, rel=0.02)
        assert any(word.startswith("dense") for word in words) and root.find("{*}title").text.startswith(
            {"loss": "Loss ½‖f − y‖² over 4 iterations, from ", "operations": "Operations an", "seconds": "Time of an"}[
                name
            ]
        )


def test_a_chart_is_in_the_colours_of_its_theme_and_says_what_is_not_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(finished, "refuse_dense", lambda *_: "The dense baseline needs too much memory.")
    out = tmp_path / "loss.svg"
    done = call("chart", "--data", "circle", "--width", 64, "--theme", "dark", "--out", out)
    assert done.exit_code == 0 and "needs too much memory" in done.stderr
    curves, _, words, root = read_chart(out)
    assert words == ["through the trees"] and [*curves] == [("#2B8CCB", None)]
    assert root.find("{*}rect").get("fill") == "#0e1117" and root.get("color") == "#fafafa"


def test_the_charts_that_are_offered_are_those_of_the_page(circle):
    assert tuple(RUN_CHARTS) == _CHARTS
    dense = Trainer(load_dataset("circle"), TrainConfig(width=64, search="dense")).run(3, 0.0)
    baseline, whole, iterations = RUN_CHARTS["seconds"].build(circle, dense, 2).data
    assert baseline.y.tolist() == dense.amortized("seconds").tolist() and "matrix products" in baseline.name
    assert whole.y.tolist() == circle.amortized("seconds").tolist()
    assert iterations.y.tolist() == circle.amortized("seconds", include_build=False).tolist()


def test_a_race_is_written_by_the_options_of_race(tmp_path):
    arguments = ("--data", "sphere", "--width", 256, "--methods", "forest,sgd-dense", "--max-iterations", 5)
    path = tmp_path / "race.json"
    assert call("race", *arguments, "--node-price", 10, "--out", path).exit_code == 0
    about, tables = read_tables(path)
    printed = CliRunner().invoke(main, ["race", *map(str, arguments), "--node-price", "10", "--json"])
    report = json.loads(printed.stdout)
    assert set(tables) == set(RACE_TABLES) and about["node_price"] == 10
    for one in report["contestants"]:
        laps = tables["laps"][tables["laps"].contestant == one["key"]]
        assert laps.loss.tolist() == one["laps"]["loss"] and laps.operations.tolist() == one["laps"]["operations"]
    path = tmp_path / "race.csv"
    assert call("race", *arguments, "--table", "contestants", "--out", path).exit_code == 0
    assert read_tables(path)[1]["contestants"].contestant.tolist() == ["forest", "sgd-dense"]


def test_a_forecast_is_written_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "__init__", lambda *_, **__: pytest.fail("something is trained"))
    path = tmp_path / "forecast.parquet"
    arguments = ("--data", "sphere", "--methods", "forest,descent-table", "--iterations", 5, "--node-price", 3)
    assert call("forecast", *arguments, "--out", path).exit_code == 0
    about, tables = read_tables(path)
    assert about["iterations"].items() >= {"gauss-newton": 5, "sgd": 1000}.items()
    rows = tables["forecast"]
    load = expected_workload(load_dataset("sphere").X, TrainConfig(width=4096), num_samples=2048)
    for key, count in (("forest", 5), ("descent-table", 1000)):
        one = CONTESTANTS[key]
        (row,) = rows[(rows.method == one.title) & (rows.width == 4096)].to_dict("records")
        assert row["operations"] == one.forecast(replace(load, node_price=3)).total(count) and row["kind"] == "expected"


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("race", ["--out", "race.npz"], "pass --format"),
        ("race", ["--out", "race.json", "--table", "phases"], "leave --table out"),
        ("race", ["--out", "race.csv", "--methods", "forest,magic"], "there is no contestant 'magic'"),
        ("forecast", ["--out", "forecast.csv", "--methods", "watch"], "cannot be told before it runs"),
        ("film", ["--out", "scene.gif", "--lesson", "idea", "--scene", 99], "there is no scene 99"),
        ("film", ["--out", "scene.gif", "--lesson", "idea", "--nodes", 63], "--nodes is of a run"),
        ("film", ["--out", "scene.gif", "--lesson", "idea", "--of", "phase"], "--of is of a run"),
        ("film", ["--out", "scene.gif", "--scene", 2], "--scene is of a lesson"),
        ("chart", ["--out", "chart.svg", "--chart", "cost"], "is not one of 'loss', 'operations', 'seconds'"),
        ("chart", ["--out", "chart.svg", "--scale", 2], "--scale is of png"),
        ("chart", ["--out", "chart.svg", "--iteration", 50], "not among the --iterations 50"),
        ("chart", ["--out", "chart.svg", "--data", "xor", "--iteration", 2, "--until-loss", 1e9], "run ends with"),
    ],
)
def test_what_does_not_fit_is_refused(command, arguments, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = call(command, *arguments)
    assert done.exit_code in (1, 2) and words in done.output and "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_the_format_can_be_said_and_the_table_chosen(tmp_path):
    path = tmp_path / "run.txt"
    arguments = ("--data", "circle", "--width", 64, "--out", path)
    assert call("records", *arguments, "--format", "parquet", "--table", "ledger").exit_code == 0
    assert set(read_tables(path)[1]) == {"ledger"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "nowhere/run.csv"], "there is no folder"),
        (["--out", "."], "is a directory"),
        (["--out", "run.xlsx"], "pass --format"),
        (["--out", "run"], "pass --format"),
        (["--out", "run.json", "--table", "ledger"], "leave --table out"),
        (["--until-loss", "-1", "--out", "run.csv"], "until_loss"),
        ([], "Missing option '--out'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(arguments, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Trainer, "__init__", lambda *_, **__: pytest.fail("the work has begun"))
    done = call("records", *arguments)
    assert done.exit_code in (1, 2) and words in done.output and "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []
