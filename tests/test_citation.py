"""How to cite, read by others: BibTeX by a BibTeX reader, CITATION.cff as YAML, and both say the same."""

from pathlib import Path

import bibtexparser
import pytest
import yaml
from click.testing import CliRunner

import treeviz
from treeviz.cli import main
from treeviz.export.citation import AUTHORS, YEAR, bibtex

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def entries():
    library = bibtexparser.parse_string(bibtex())
    assert not library.failed_blocks and len(library.blocks) == 2
    return {entry.key: {name: field.value for name, field in entry.fields_dict.items()} for entry in library.entries}


def test_the_paper_is_cited_as_it_is_printed(entries):
    paper = entries["deng2022training"]
    assert paper["title"] == "{Training Overparametrized Neural Networks in Sublinear Time}"
    assert paper["author"] == "Yichuan Deng and Hang Hu and Zhao Song and Omri Weinstein and Danyang Zhuo"
    assert (paper["year"], paper["eprint"]) == ("2022", "2208.04508")


def test_the_program_is_cited_by_its_version(entries):
    program = entries["treeviz"]
    assert program["version"] == treeviz.__version__ and treeviz.__version__ in program["note"]
    assert program["author"] == f"{{{AUTHORS}}}" and program["license"] == "MIT"
    assert f"(c) {YEAR} {AUTHORS[0].lower()}{AUTHORS[1:]}" in (ROOT / "LICENSE").read_text()


def test_the_file_of_the_repository_says_the_same(entries):
    cff = yaml.safe_load((ROOT / ".github" / "CITATION.cff").read_text())
    assert cff["cff-version"] == "1.2.0" and cff["message"]
    program, paper = entries["treeviz"], entries["deng2022training"]
    assert (cff["version"], cff["license"]) == (program["version"], program["license"])
    assert cff["title"] == program["title"].replace("{", "").replace("}", "")
    assert [author["name"] for author in cff["authors"]] == [AUTHORS]
    cited = cff["preferred-citation"]
    assert cited["title"] == paper["title"].strip("{}") and str(cited["year"]) == paper["year"]
    names = [f"{author['given-names']} {author['family-names']}" for author in cited["authors"]]
    assert " and ".join(names) == paper["author"] and cited["url"] == paper["url"]


def test_the_command_prints_it_or_writes_it(tmp_path):
    assert CliRunner().invoke(main, ["export", "citation"]).stdout == bibtex()
    path = tmp_path / "treeviz.bib"
    assert CliRunner().invoke(main, ["export", "citation", "--out", str(path)]).exit_code == 0
    assert path.read_text() == bibtex()
    done = CliRunner().invoke(main, ["export", "citation", "--out", "/nowhere/treeviz.bib"])
    assert done.exit_code == 2 and "there is no folder" in done.output
