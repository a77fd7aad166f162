"""What is said of the columns of a CSV file before a target is chosen, and how the app offers them."""

import io
from pathlib import Path

import pytest
from app_pages import named, uploading
from streamlit.testing.v1 import AppTest
from test_csv_shapes import READ, table_of

from treeviz import Dataset
from treeviz.data.csv_columns import Column, find_columns
from treeviz.data.csv_options import CsvOptions
from treeviz.data.refusal import RefusalError

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "treeviz" / "data" / "sample.csv"
PEOPLE = (
    "id,name,age,city,height,empty,y\n"
    "7,Ann,31,Bonn,1.71,,yes\n8,Bob,,Bonn,1.82,,no\n9,Cid,55,Bonn,1.64,,yes\n5,Dan,28,Bonn,1.90,,no\n"
)
KINDS = [("id", "id"), ("name", "text"), ("age", "numbers"), ("city", "constant"), ("height", "numbers"),
         ("empty", "empty"), ("y", "text")]  # fmt: skip


def columns_of(content, **options):
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return find_columns(file, CsvOptions(**{"target": ""} | options), max_features=100)


def test_columns_are_told_apart():
    assert columns_of(PEOPLE) == tuple(Column(*column) for column in KINDS)


@pytest.mark.parametrize(
    ("content", "options", "kinds"),
    [
        ("a;b\n1,5;x\n2,5;y\n", {}, ["numbers", "text"]),
        ("a;b\n1.500;x\n2.500;y\n", {}, ["numbers", "text"]),  # point or comma: in doubt, but numbers
        ("a;b\n2.500;x\n2.500;y\n", {}, ["constant", "text"]),
        ("a;b\n1,5;x\n2,5;y\n", {"decimal": ".", "separator": ";"}, ["text", "text"]),
        ("a,b\ninf,1e999\n-inf,nan\n", {}, ["numbers", "numbers"]),
        ("a,b\n", {}, ["empty", "empty"]),
        (",a\n0,3\n1,5\n2,8\n", {"header": True}, ["numbers", "numbers"]),
        ("2,0\n3,1\n", {}, ["numbers", "numbers"]),
    ],
)
def test_kinds_follow_the_way_the_file_is_written(content, options, kinds):
    assert [column.kind for column in columns_of(content, **options)] == kinds


@pytest.mark.parametrize("shape", READ)
def test_what_is_said_of_a_column_is_what_is_done_with_it(shape):
    content, options, *_ = READ[shape]
    table = table_of(content, **options)
    kinds = {column.name: column.kind for column in columns_of(content, **options)}
    if not options.get("columns"):
        assert {kinds[name] for name in table.columns if name in kinds} == {"numbers"}
        left_out = " ".join(table.notes)
        for name, kind in kinds.items():
            if kind in ("id", "empty") and name not in (options.get("target", "y"), *options.get("leave_out", ())):
                assert repr(name) in left_out, (name, kind)


def test_columns_that_cannot_be_read_are_refused_as_the_table_is():
    for content in ("a,a,y\n1,2,3\n4,5,6\n", "a;b;y\n1,2,1\n3,4,0\n", "a,2,y\n1.5,2,0\n2.5,3,1\n"):
        with pytest.raises(RefusalError) as refused:
            columns_of(content)
        with pytest.raises(RefusalError) as other:
            table_of(content, "z")
        assert str(refused.value) == str(other.value)
    assert [column.name for column in columns_of("a,2,y\n1.5,2,0\n2.5,3,1\n", target="y")] == ["a", "2", "y"]


def test_without_a_target_nothing_is_read():
    with pytest.raises(RefusalError, match="target must be the name of a column"):
        table_of(PEOPLE, "")


# The app


def open_csv(**state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    state = {"wanted_page": "race", "data": "your own CSV", "width": 64, **state}
    for key, value in state.items():
        app.session_state[key] = value
    assert not app.run().exception
    return app


def sidebar_words(app):
    return [element.value for element in (*app.sidebar.markdown, *app.sidebar.info, *app.sidebar.warning)]


def test_the_app_offers_the_columns_found(monkeypatch):
    uploading(monkeypatch, PEOPLE)
    app = open_csv()
    assert app.selectbox(key="csv-target").options == [f"{name} · {kind}" for name, kind in KINDS]
    assert "Choose the target column." in sidebar_words(app)
    app.selectbox(key="csv-target").set_value("height").run()
    others = [f"{name} · {kind}" for name, kind in KINDS if name != "height"]
    assert app.multiselect(key="csv-leave_out").options == app.multiselect(key="csv-columns").options == others
    assert "column 'age'" in app.error[0].value and "“Columns to leave out”" in app.error[0].value
    app.multiselect(key="csv-leave_out").set_value(["age"]).run()
    assert "no numeric feature" in app.error[0].value and app.session_state["csv-leave_out"] == ["age"]
    app.multiselect(key="csv-leave_out").set_value([]).run()
    app.toggle(key="csv-skip_bad_rows").set_value(True).run()
    (said,) = [words for words in sidebar_words(app) if "Left out" in words]
    assert not app.error and "constant: 'city'" not in said  # text, as it is not numbers
    assert "identifiers: 'id'" in said and "empty: 'empty'" in said and "totals: 1 row." in said


def table_after(app, heading):
    """Return the rows of the first table of the sidebar whose heading begins like this."""
    (text,) = [words for words in sidebar_words(app) if words.startswith(f"| {heading}")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.split("\n")[2:]]


def test_columns_show_their_examples_their_missing_values_and_the_first_rows(monkeypatch):
    uploading(monkeypatch, PEOPLE)
    app = open_csv(**{"csv-target": "y"})
    assert table_after(app, "column")[:3] == [
        ["id", "id", "7, 8, 9", "–"], ["name", "text", "Ann, Bob, Cid", "–"], ["age", "numbers", "31, 55, 28", "1"],
    ]  # fmt: skip
    assert table_after(app, "column")[5][3] == "4"
    assert table_after(app, "row")[2] == ["age", "31", r"(empty)", "55"]
    app.toggle(key="csv-skip_bad_rows").set_value(True).run()
    data = Dataset.from_csv(io.StringIO(PEOPLE), "y", skip_bad_rows=True)
    used = table_after(app, "datapoint")
    assert [row[0] for row in used] == [*data.columns, "1, added", "target"]
    assert [float(cell) for cell in used[0][1:]] == data.X[:3, 0].round(3).tolist()
    assert [float(cell) for cell in used[-1][1:]] == data.y[:3].tolist()


def test_one_of_several_classes_is_chosen_from_those_found(monkeypatch):
    uploading(monkeypatch, SAMPLE.read_text())
    app = open_csv(**{"csv-target": "kind"})
    assert "“Class to learn (positive)”" in app.error[0].value
    assert app.selectbox(key="csv-positive").options == ["apple", "pear", "lemon"]
    app.selectbox(key="csv-positive").set_value("lemon").run()
    assert not app.error and any("**45 datapoints**" in words.value for words in app.markdown)
    app.selectbox(key="csv-target").set_value("weight_g").run()
    assert app.selectbox(key="csv-positive").options == []  # many numbers are no classes


def test_the_sample_file_can_be_used_in_every_way():
    data = [Dataset.from_csv(SAMPLE, "kind", positive=kind) for kind in ("apple", "pear", "lemon")]
    assert [(one.num_points, (one.y == 1).sum()) for one in data] == [(45, 15)] * 3
    assert Dataset.from_csv(SAMPLE, "weight_g", one_hot=True).columns[-1] == "kind = pear"


def test_names_chosen_stay_with_another_file_and_are_named_where_it_lacks_them(monkeypatch):
    held = uploading(monkeypatch, PEOPLE)
    app = open_csv(**{"csv-target": "y", "csv-leave_out": ["age", "name"]})
    assert not app.error
    held[:] = [named("age,y,h\nu,1,3.5\nv,2,4.5\nw,4,6.5\n", "other.csv")]
    app.run()
    assert app.selectbox(key="csv-target").options == [
        "age · text", "y · numbers", "h · numbers", "name · not in this file",
    ]  # fmt: skip
    assert "there is no column 'name'" in app.error[0].value and "“Columns to leave out”" in app.error[0].value
    # A browser keeps the labels that it was given first.
    for given in ("y · text", "y · not in this file", "y"):
        app = open_csv(**{"csv-target": given, "csv-leave_out": ["age · numbers"]})
        assert not app.error and not app.exception
        assert app.session_state["csv-target"] == "y" and app.session_state["csv-leave_out"] == ["age"]
    app = open_csv(**{"csv-target": "price"})
    assert "there is no target column 'price'" in app.error[0].value and "“Target column”" in app.error[0].value


def test_a_file_whose_columns_are_in_doubt_is_explained_and_its_target_can_be_typed(monkeypatch):
    uploading(monkeypatch, "a,2,y\n1.5,2,0\n2.5,3,1\n3.5,7,1\n")
    app = open_csv()
    assert app.selectbox(key="csv-target").options == []
    (said,) = [words for words in sidebar_words(app) if "names or data" in words]
    assert "set “Header line” to yes" in said and not app.error
    app.selectbox(key="csv-header").set_value(True).run()
    assert app.selectbox(key="csv-target").options == ["a · numbers", "2 · numbers", "y · numbers"]
    app = open_csv(**{"csv-target": "y"})
    assert app.selectbox(key="csv-target").options == ["a · numbers", "2 · numbers", "y · numbers"] and not app.error


def test_names_are_shown_as_they_are(monkeypatch):
    uploading(monkeypatch, "*a*,[b](c),$d$,y\n1,2,3,4\n2,2,5,1\n3,2,9,2\n")
    app = open_csv(**{"csv-target": "y"})
    assert r"constant: '\[b\](c)'" in next(words for words in sidebar_words(app) if "Left out" in words)
    app = open_csv(**{"csv-target": "*z*"})
    assert r"'\*z\*'" in app.error[0].value and r"'\$d\$'" in app.error[0].value


def test_a_file_and_its_options_stay_while_another_dataset_is_shown(monkeypatch):
    held = uploading(monkeypatch, PEOPLE)
    app = open_csv()
    app.selectbox(key="csv-target").set_value("y")  # by its control, as a viewer does: what is set is never forgotten
    app.toggle(key="csv-skip_bad_rows").set_value(True)
    app.toggle(key="csv-standardize").set_value(False).run()
    for _ in range(2):
        app.selectbox(key="data").set_value("circle").run()
        assert not app.error
        held.clear()  # Streamlit forgets what is not drawn
        app.selectbox(key="data").set_value("your own CSV").run()
        assert not app.error and any("**3 datapoints**" in words.value for words in app.markdown)
        assert ":small[In use: **table.csv**, uploaded before.]" in sidebar_words(app)
        assert app.selectbox(key="csv-target").value == "y"
        assert app.toggle(key="csv-skip_bad_rows").value and not app.toggle(key="csv-standardize").value
    held.append(named("q,y\n1.5,2\n3.5,3\n5,7\n5,8\n", "next.csv"))
    app.run()
    assert any("**4 datapoints**" in words.value for words in app.markdown)
    assert not [words for words in sidebar_words(app) if "In use" in words]
    held.clear()
    app.run()
    app.button(key="remove-upload").click().run()
    assert any("Choose a CSV file: numeric" in words for words in sidebar_words(app))
