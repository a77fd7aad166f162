"""CSV files as people write them: read right, or refused with a remedy that exists where the message is shown."""

import ast
import csv
import io
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from app_pages import uploading
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from treeviz.cli import main, race, run
from treeviz.data import csv_text
from treeviz.data.csv_options import DECIMALS, SEPARATORS, THOUSANDS, CsvOptions
from treeviz.data.csv_table import read_table
from treeviz.data.dataset import Dataset, Split
from treeviz.data.refusal import OPTIONS, RefusalError, Remedy

ROOT = Path(__file__).parent.parent


def table_of(content, target="y", **options):
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return read_table(file, CsvOptions(target, **options), max_points=None, max_features=100)


# Files that are read: (content, options, names of the features, rows of features, targets, words of the description)

AB = [[0.5, 2.0], [1.5, 0.25], [-3.0, 4.0]]
THREE = [10.5, 20.25, -1.0]
ENGLISH = "a,b,y\n0.5,2,10.5\n1.5,.25,20.25\n-3,4,-1\n"
SEMICOLON = ENGLISH.replace(",", ";")
GERMAN = SEMICOLON.replace(".", ",")
A, LARGE = [[1.5], [2.5], [3]], [557501, 1855883, -12]
READ = {
    "pipe": (ENGLISH.replace(",", "|"), {}, "ab", AB, THREE, []),
    "tab": (ENGLISH.replace(",", "\t"), {}, "ab", AB, THREE, []),
    "white space": ("  a  b  y\n 0.5   2 10.5 \n 1.5 .25\t20.25\n -3 4  -1\n", {}, "ab", AB, THREE, []),
    "decimal comma": (GERMAN, {}, "ab", AB, THREE, ["decimal comma"]),
    "decimal comma in white space": (GERMAN.replace(";", " "), {}, "ab", AB, THREE, ["decimal comma"]),
    "sep= line": (b"\xef\xbb\xbfsep=;\r\n" + SEMICOLON.encode(), {}, "ab", AB, THREE, []),
    "sep= line and trailing separators": ("sep=;;\n" + SEMICOLON.replace("\n", ";\n"), {}, "ab", AB, THREE, []),
    "old Mac": (ENGLISH.replace("\n", "\r"), {}, "ab", AB, THREE, []),
    "blank rows": (SEMICOLON + ";;\n\n;;\n", {}, "ab", AB, THREE, []),
    "comments": ("# exported 2024-01-01, by lab\n#\n" + ENGLISH, {}, "ab", AB, THREE, ["2 comment lines"]),
    "NumPy's header": ("# " + ENGLISH, {}, ["# a", "b"], AB, THREE, []),
    "title": ("Results of May\n\n" + ENGLISH, {}, "ab", AB, THREE, ["text above the table"]),
    "cross validator": ("|1x3 Cross validator\n" + ENGLISH.replace(",", ", "), {}, "ab", AB, THREE, ["text above"]),
    "unnamed index": (",a,b,y\n0,0.5,2,10.5\n1,1.5,.25,20.25\n2,-3,4,-1\n", {}, "ab", AB, THREE, ["without a name"]),
    "identifier": (
        "customer,a,b,y\n9000000000000000000,0.5,2,10.5\n9000000000000000001,1.5,.25,20.25\n9000000000000000002,-3,4,-1",
        {}, "ab", AB, THREE, ["'customer'", "identifiers"],
    ),
    "named identifier": (
        "a,CustomerId,b,y\n.5,7,2,10.5\n1.5,5,.25,20.25\n-3,6,4,-1\n", {}, "ab", AB, THREE, ["'CustomerId'"],
    ),
    "constant": ("a,c,b,y\n.5,0,2,10.5\n1.5,0,.25,20.25\n-3,0,4,-1\n", {}, "ab", AB, THREE, ["constant: 'c'"]),
    "empty column": ("a,c,b,y\n.5,,2,10.5\n1.5,,.25,20.25\n-3,,4,-1\n", {}, "ab", AB, THREE, ["empty: 'c'"]),
    "columns chosen": (
        "a,id,b,c,y\n.5,1,2,9,10.5\n1.5,2,.25,8,20.25\n-3,3,4,x,-1\n", {"columns": ["id", "a"]},
        ["a", "id"], [[0.5, 1], [1.5, 2], [-3, 3]], THREE, [],
    ),
    "columns left out": ("a,x,b,y\n.5,1,2,10.5\n1.5,2,.25,20.25\n-3,?,4,-1\n", {"leave_out": "x"}, "ab", AB, THREE, []),
    "no header": (
        ENGLISH.split("\n", 1)[1], {"target": "column 3"}, ["column 1", "column 2"], AB, THREE, ["no header line"],
    ),
    "header of numbers": (
        "2019,2020,2021\n0.5,2,10.5\n1.5,.25,20.25\n-3,4,-1\n", {"target": "2021"}, ["2019", "2020"], AB, THREE, [],
    ),
    "commas in names": (
        SEMICOLON.replace("a;b", "Price, EUR;Area, m2"), {}, ["Price, EUR", "Area, m2"], AB, THREE, [],
    ),
    "semicolons in a name": (ENGLISH.replace("b", '"b;c;d;e"'), {}, ["a", "b;c;d;e"], AB, THREE, []),
    "quoted space in white space": (
        'x 1.5 10.5\t"maker 1"\nx 2.5 20.25\t"maker 2"\nx 3 4\t"maker 3"\n', {"target": "column 3"}, ["column 2"], A,
        [10.5, 20.25, 4], ["'column 1', 'column 4'"],
    ),
    "Windows-1252": (ENGLISH.replace("a", "größe").encode("cp1252"), {}, ["größe", "b"], AB, THREE, ["Windows-1252"]),
    "UTF-16": (ENGLISH.replace("a", "größe").encode("utf-16"), {}, ["größe", "b"], AB, THREE, []),
    "Latin-2 by option": (ENGLISH.replace("a", "ł").encode("latin2"), {"encoding": "latin2"}, "łb", AB, THREE, []),
    "thousands": ('a,y\n1.5,"557,501"\n2.5,"1,855,883.5"\n3,-12\n', {}, "a", A, [557501, 1855883.5, -12], []),
    "points between thousands": ("a;y\n1,5;557.501\n2,5;1.855.883\n3;-12\n", {}, "a", A, LARGE, []),
    "points by option": (
        "a;y\n30;680.958\n40;209.206\n3;-12\n", {"decimal": ","}, "a",
        [[30], [40], [3]], [680958, 209206, -12], ["decimal comma"],
    ),
    "spaces between thousands": (
        "a;y\n1.5;557\u202f501\n2.5;1\u00a0855\u00a0883\n3;-12\n", {}, "a", A, LARGE, [],
    ),
    "Swiss thousands": ("a;y\n1.5;557'501\n2.5;1’855’883\n3;-12\n", {}, "a", A, LARGE, []),
    "currency and percent": (
        'a,b,y\n48%,-$3,"$6,727.50"\n5%,$4,"$704.50"\n100%,$0,$7\n', {}, "ab",
        [[0.48, -3], [0.05, 4], [1, 0]], [6727.5, 704.5, 7], [],
    ),
    "typesetters' minus": ("a;y\n1.5;\u22121\n2.5;+1\n", {}, "a", [[1.5], [2.5]], [-1, 1], ["is 1 and"]),
    "plus and minus": ("a;y\n1.5;-\n2.5;+\n", {}, "a", [[1.5], [2.5]], [-1, 1], ["where 'y' is '+'"]),
    "upper and lower case": ("a,y\n1.5,yes\n2.5,No\n3,Yes\n", {}, "a", A, [1, -1, 1], ["case"]),
    "rows that cannot be read": (
        "a,b,y\ncm,kg,EUR\n.5,2,10.5\n#N/A,3,5\n1.5,.25,20.25\n7,8,\n-3,4,-1\n1,2,3,4\nTotal,6.25,29.75\n",
        {"skip_bad_rows": True}, "ab", AB, THREE, ["5 rows"],
    ),
    "categories": (
        "a,s,t,y\n1.5,m,?,1\n2.5,f,u,2\n3,m,v,3\n4,f,?,4\n5,f,?,5\n6,f,?,6\n", {"one_hot": True},
        ["a", "s = m", "t = ?", "t = u", "t = v"],
        [[1.5, 1, 1, 0, 0], [2.5, 0, 0, 1, 0], [3, 1, 0, 0, 1], [4, 0, 1, 0, 0], [5, 0, 1, 0, 0], [6, 0, 1, 0, 0]],
        [1, 2, 3, 4, 5, 6], [],
    ),
    "names are no categories": (
        "a,s,y\n" + "".join(f"{i * i},name {i},{i}\n" for i in range(9)), {"one_hot": True},
        "a", [[i * i] for i in range(9)], list(range(9)), ["too many values: 's'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", READ)
def test_a_shape_is_read(shape):
    content, options, names, rows, targets, words = READ[shape]
    table = table_of(content, **options)
    assert table.columns == tuple(names)
    assert table.features.tolist() == rows and table.target.values.tolist() == targets
    said = table.describe(table.target.rule)
    assert not [word for word in words if word not in said], said


# Files that are refused: (content, options, words of the message)

FEW = "a,b,c,y\n1,2,3.5,0\n4,1,0,1\n2,2,8,0\n7,5,1,1\n"
REFUSED = {
    "separator in doubt": ("a;b;y\n1,2,1\n3,4,0\n", {}, ["separate", "'a;b;y'"]),
    "two separators": ("id;text, y\n1;hello, you\n2;well, then\n", {}, ["separate", "comma 2 to 2, semicolon 2 to 2"]),
    "decimal mark in doubt": ("a;y\n30;680.958\n40;209.206\n", {}, ["'680.958'"]),
    "quoted thousands in doubt": ('a,y\n30,"680,958"\n40,"209,206"\n', {}, ["'680,958'"]),
    "another decimal mark": ("a;b;y\n.5;1,25;2\n1.5;2,5;3\n2.5;3.5;4\n3.5;4.5;5\n", {}, ["column 'b'", "'1,25'"]),
    "header in doubt": ("a,2,y\n1.5,2,0\n2.5,3,1\n", {"target": "z"}, ["names or data"]),
    "no header, wrong target": ("1.5,2,0\n2.5,3,1\n", {"target": "z"}, ["'column 1'"]),
    "total": ("a,b,y\n1.5,2,0\n2.5,3,1\nTotal,,1\n", {}, ["line 4", "column 'a'", "totals"]),
    "total beside text": ("t,b,y\nu,2.5,0\nv,3,1\nTotal,5.5,1\n", {}, ["line 4", "column 't'", "totals"]),
    "error cell": ("a,b,y\n1.5,2,0\n#N/A,3,1\n3,4,0\n4,7,1\n", {}, ["line 3", "column 'a'", "'#N/A'"]),
    "units": ("a,b,y\ncm,kg,EUR\n1.5,2,0\n2.5,3,1\n4,4,1\n", {"target": "b"}, ["line 2", "'cm'"]),
    "long row": ("a,b,y\n1.5,2,0\n2.5,3,1,7\n3,4,0\n", {}, ["line 3", "more cells"]),
    "mixed currencies": ("a,y\n$1.5,0\n$2.5,1\n€3,2\n", {}, ["line 4", "'€3'"]),
    "unknown column": (FEW, {"columns": ["q"]}, ["'q'"]),
    "unknown column to leave out": (FEW, {"leave_out": ["q"]}, ["'q'"]),
    "unknown target": (FEW, {"target": "q"}, ["'q'"]),
    "text chosen": (FEW.replace("3.5", "u").replace("8", "v").replace(",0,", ",w,").replace("1,1", "x,1"),
                    {"columns": ["c"]}, ["'c'", "text"]),
    "text alone": ("a,y\nu,1\nv,2\nu,3\n", {}, ["no numeric feature"]),
    "classes": ("a,b,y\n1.5,2,u\n2,3,v\n3,5,w\n", {}, ["3 classes"]),
    "unknown class": (FEW, {"positive": "7"}, ["'7'"]),
    "equal row": ("q,r,s,y\n5,5,5,.2\n1,2,3,.4\n2,2,4,.5\n", {}, ["line 2", "5"]),
    "row at the mean": ("a,b,c,y\n0,1,2,0\n2,3,1,1\n1,2,1.5,1\n", {}, ["line 4", "mean"]),
    "constant chosen": ("a,b,y\n1,2,.1\n1,3,.2\n1,4,.4\n", {"columns": ["a"]}, ["'a'"]),
    "targets near each other": ("a,b,y\n0,.5,1\n1.5,2.5,1.0000000000000002\n", {}, ["constant except for round-off"]),
    "too many rows": ("a,b,y\n" + "".join(f"{i % 7},{i % 5}.5,{i}\n" for i in range(4097)), {}, ["4,096 rows"]),
    "more points than rows": (FEW, {"num_points": 5}, ["4 rows"]),
    "wrong encoding": ("ä,b,y\n1,2,3\n3,4,5\n".encode("cp1252"), {"encoding": "utf-8"}, ["0xe4"]),
    "no encoding": (FEW, {"encoding": "klingon"}, ["'klingon'"]),
    "zero bytes": (FEW.encode("utf-16-le"), {}, ["zero bytes"]),
    "quotes": ('a,b,y\n"1.5,2,0\n3,4,1\n', {}, ["well-formed"]),
    "one mark for two": (FEW, {"decimal": ",", "thousands": ","}, ["comma"]),
    "one line of many cells": (
        "a,b,y\n" + "1.5,2,0\n" * 2000 + "9" + "," * 3000, {"separator": ","}, ["line 2002", "3,001 cells"],
    ),
    "wrong codec": ("\n\na1-\n\n1", {"encoding": "punycode"}, ["punycode"]),
    "too many categories": (
        "a,y," + ",".join(f"t{i}" for i in range(90)) + "\n"
        + "".join(f"{i * i},{i}," + ",".join([f"v{i % 50}"] * 90) + "\n" for i in range(100)), {"one_hot": True},
        ["category"],
    ),
}  # fmt: skip


def refusal_of(content, options):
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    try:
        data = Dataset.from_csv(file, **{"target": "y"} | options)
    except RefusalError as refusal:
        return refusal
    raise AssertionError(f"accepted: {data.description}")


@pytest.mark.parametrize("shape", REFUSED)
def test_a_shape_is_refused(shape):
    content, options, words = REFUSED[shape]
    message = str(refusal_of(content, options))
    assert not [word for word in words if word not in message], message
    assert message.isprintable() and len(message) < 700


def test_following_a_remedy_leads_on():
    for shape, (content, options, _) in REFUSED.items():
        refusal = refusal_of(content, options)
        for remedy in (part for part in refusal.parts if isinstance(part, Remedy) and part.value is not None):
            changed = {**options, remedy.option: remedy.value}
            try:
                Dataset.from_csv(
                    io.BytesIO(content if isinstance(content, bytes) else content.encode()), **{"target": "y"} | changed
                )
            except RefusalError as other:
                assert str(other) != str(refusal), f"{shape}: {remedy}"


def test_the_shapes_meet_every_option_that_a_message_names():
    named = set()
    for path in (ROOT / "treeviz" / "data").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "Remedy"
                and isinstance(node.args[0], ast.Constant)
            ):
                named.add(node.args[0].value)
    met = {
        part.option
        for content, options, _ in REFUSED.values()
        for part in refusal_of(content, options).parts
        if isinstance(part, Remedy)
    }
    assert named - met == set(), "a message names an option that no shape here meets"
    assert set(OPTIONS) - {"center"} == {*CsvOptions.__dataclass_fields__, "num_points"}


def test_remedies_on_the_command_line_are_flags_it_has(tmp_path):
    flags = [
        {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
        for command in (run, race)
    ]
    for content, options, _ in REFUSED.values():
        refusal = refusal_of(content, options)
        words = refusal.said_in("command line")
        written = re.findall(r"pass (--[\w-]+)", words)
        assert len(written) >= sum(isinstance(part, Remedy) for part in refusal.parts), words
        assert all(set(written) <= known for known in flags), words
        assert not re.search(r"pass \w+=", words), words
    path = tmp_path / "table.csv"
    path.write_text(REFUSED["error cell"][0])
    arguments = ["run", "--data", str(path), "--target", "y", "--width", "64", "--iterations", "1", "--json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1 and "pass --skip-bad-rows, " in done.output and "--leave-out a\n" in done.output
    for remedy in (["--skip-bad-rows"], ["--leave-out", "a"], ["--columns", "b"]):
        assert CliRunner().invoke(main, [*arguments, *remedy]).exit_code == 0
    done = CliRunner().invoke(main, ["run", "--data", "circle", "--decimal", ","])
    assert done.exit_code == 1 and "--decimal applies to CSV files only" in done.output


def test_the_command_line_takes_what_python_takes(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("Größe|Art|x|y\n1.234,5|u|3|2\n4,5|v|4|7\n6|u|7|1\n?|u|1|2\n".encode("cp1252"))
    options = ["--separator", "pipe", "--decimal", "comma", "--thousands", "point", "--header", "--encoding", "cp1252"]
    options += ["--columns", "Größe", "--columns", "Art", "--one-hot", "--skip-bad-rows", "--no-standardize", "--lift"]
    arguments = ["run", "--data", str(path), "--target", "y", "--width", "64", "--iterations", "1", "--save"]
    done = CliRunner().invoke(main, [*arguments, str(tmp_path / "run.npz"), *options])
    assert done.exit_code == 0, done.output
    expected = Dataset.from_csv(
        path, "y", separator="|", decimal=",", thousands=".", header=True, encoding="cp1252", columns=["Größe", "Art"],
        one_hot=True, skip_bad_rows=True, standardize=False, lift=True,
    )  # fmt: skip
    raw = np.array([[1234.5, 0, 1], [4.5, 1, 1], [6, 0, 1]])
    np.testing.assert_allclose(expected.X, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-15)
    assert expected.description in done.output


def test_remedies_in_the_app_are_controls_it_has(monkeypatch):
    uploading(monkeypatch, FEW)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state["wanted_page"], app.session_state["data"] = "race", "your own CSV"
    assert not app.run().exception
    kinds = (app.text_input, app.number_input, app.toggle, app.selectbox, app.multiselect)
    labels = {widget.label for kind in kinds for widget in kind}
    for option, (_, label) in OPTIONS.items():
        assert option == "center" or any(known.startswith(label) for known in labels), label
    choices = {box.label: box.options for box in app.selectbox}
    for content, options, _ in REFUSED.values():
        refusal = refusal_of(content, options)
        words = refusal.said_in("app")
        assert not re.search(r"--\w|\w=|pass \w+=", words.replace("'a;b;y'", "")), words
        assert words.count("“") == sum(isinstance(part, Remedy) for part in refusal.parts), words
        for label, value in re.findall(r"set “([^”]+)” to (\w+)", words):
            assert label not in choices or value in choices[label], words


# Any dialect

NAMES = st.text("abÄß,;|.' \t", min_size=1, max_size=6).map(str.strip).filter(lambda name: re.search("[abÄß]", name))
NUMBERS = st.one_of(
    st.integers(-5_000_000, 5_000_000).map(float),
    st.tuples(st.integers(-5_000_000, 5_000_000), st.integers(1, 4)).map(lambda pair: pair[0] / 10 ** pair[1]),
)
GROUPED = st.integers(1000, 999_999).map(float)  # with a mark between thousands they may be read with a decimal mark


def spelled(number, decimal, thousands):
    whole, _, rest = f"{number:.4f}".rstrip("0").rstrip(".").partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    if thousands:
        digits = f"{int(digits):,}".replace(",", thousands)
    return sign + digits + (decimal + rest if rest else "")


@st.composite
def files(draw):
    """A table of numbers and one text column, and its bytes in some dialect."""
    num_rows, num_columns = draw(st.integers(2, 6)), draw(st.integers(2, 4))
    numbers = draw(st.sampled_from([NUMBERS, GROUPED]))
    rows = draw(
        st.lists(st.lists(numbers, min_size=num_columns, max_size=num_columns), min_size=num_rows, max_size=num_rows)
    )
    names = draw(st.lists(NAMES, min_size=num_columns + 1, max_size=num_columns + 1, unique=True))
    text = draw(st.lists(NAMES, min_size=num_rows, max_size=num_rows))
    separator, decimal = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(DECIMALS))
    thousands = draw(st.sampled_from(["", *(mark for mark in THOUSANDS if mark != decimal)]))
    has_header = draw(st.booleans())
    if not has_header:
        names = [f"column {number}" for number in range(1, num_columns + 2)]
    written = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    if separator == " ":
        quoting = csv.QUOTE_ALL
    writer = csv.writer(
        written, delimiter=separator, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
    )
    place = draw(st.integers(0, num_columns))
    table = [[*(spelled(number, decimal, thousands) for number in row)] for row in rows]
    for cells, word in zip(table, text, strict=True):
        cells.insert(place, word)
    writer.writerows([names, *table] if has_header else table)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    names_of_numbers = [name for j, name in enumerate(names) if j != place]
    return written.getvalue().encode(encoding), names_of_numbers, np.array(rows)


@settings(max_examples=200, deadline=None)
@given(files())
def test_any_dialect_is_read_back_equal_or_refused(file):
    content, names, rows = file
    target = names[-1]
    assume(len(np.unique(rows[:, -1])) > 2)
    try:
        table = table_of(content, target)
    except RefusalError:
        return
    assert table.target.values.tolist() == rows[:, -1].tolist()
    assert set(table.columns) <= set(names)
    for name, column in zip(table.columns, table.features.T, strict=True):
        assert column.tolist() == rows[:, names.index(name)].tolist(), content
    said = table.describe("")
    left_out = [name for name in names[:-1] if name not in table.columns]
    assert all(repr(name) in said if name else "(unnamed column" in said for name in left_out), said


# Bounds


def test_what_is_no_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        done = CliRunner().invoke(main, ["run", "--data", str(path), "--target", "y"])
        assert done.exit_code == 1 and ("not an ordinary file" in done.output or "is a directory" in done.output)
    large = tmp_path / "large.csv"
    with open(large, "wb") as stream:
        stream.truncate(csv_text.MAX_BYTES + 1)
    monkeypatch.setattr("builtins.open", None)  # opening it would fail
    with pytest.raises(ValueError, match=r"large\.csv is larger than 64 MB"):
        Split.from_csv(large, "y")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a,b,y\n" + "1,2,3\n" * 20_000 + "," * 4000, {"skip_bad_rows": True}),
        pytest.param(
            "a,b,y\n" + "".join(f"t{i % 50},s{i % 49},{i}\n" for i in range(200_000)),
            {"one_hot": True, "num_points": 9},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["filled up to its longest line", "a column for each category"],
)
def test_a_small_file_does_not_take_gigabytes(content, options):
    tracemalloc.start()
    try:
        with pytest.raises(RefusalError, match=r"delete the extra cells|column for each category"):
            Split.from_csv(io.BytesIO(content.encode()), "y", **options)
        assert tracemalloc.get_traced_memory()[1] < 150e6
    finally:
        tracemalloc.stop()
