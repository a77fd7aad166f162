"""The browser scripts: their unit tests, run by Node, and how their files become one script."""

import re
import subprocess
from pathlib import Path

import pytest
from node import ARGUMENTS

from treeviz.stage.component import PARTS
from treeviz.style.modules import join_modules

TESTS = Path(__file__).parent / "js"
PACKAGE = TESTS.parent.parent / "treeviz"
ENTRIES = (
    "stage/web/stage.js",
    "stage/web/answer.js",
    "stage/web/poll_news.js",
    "export/web/replay.js",
    "lesson/web/student.js",
    "race/web/race.js",
    "related/web/map.js",
)


def test_the_unit_tests_pass(node):
    files = sorted(map(str, TESTS.glob("*.test.js")))
    assert len(files) > 5
    done = subprocess.run([node, *ARGUMENTS, "--test", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_files_of_a_component_join_to_one_module(node, entry):
    """Node refuses a name that is declared twice, an import that was left, and more than one default export."""
    script = join_modules(PACKAGE / entry)
    check = [node, "--input-type=module", "--check"]
    done = subprocess.run(check, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert script.count("export default") == 1


def test_a_module_stands_once_and_after_those_it_imports(tmp_path):
    (tmp_path / "web").mkdir()
    files = {
        "entry.js": 'import { a,\n  b } from "./web/a.js";\nimport { c } from "./web/c.js";\n'
        "export default () => a + b + c;\n",
        "web/a.js": 'import { c } from "./c.js";\nexport const a = c;\nexport async function b() {}\n',
        "web/c.js": "// first\nexport const c = 1;\nexport class D {}\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert join_modules(tmp_path / "entry.js") == (
        "// first\nconst c = 1;\nclass D {}\n\nconst a = c;\nasync function b() {}\n\nexport default () => a + b + c;\n"
    )


def test_a_module_of_others_shows_only_what_it_exports(tmp_path, node):
    (tmp_path / "vendor").mkdir()
    others = (
        "var a=1;function b(){return a+1}var c=b;export{b as Two,c as default,a as one};\n//# sourceMappingURL=x.map"
    )
    (tmp_path / "vendor" / "others.js").write_text(others)
    entry = 'import { Two, one } from "./vendor/others.js";\nconst a = 5;\nconst b = Two() + one;\nconsole.log(a, b);\n'
    (tmp_path / "entry.js").write_text(entry)
    script = join_modules(tmp_path / "entry.js")
    assert "sourceMappingURL" not in script
    command = [node, "--input-type=module", "--eval", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "5 3\n"
    (tmp_path / "vendor" / "others.js").write_text("export const Two = 2;\n")
    with pytest.raises(ValueError, match=r"others.js does not end in the names that it exports"):
        join_modules(tmp_path / "entry.js")


@pytest.mark.parametrize(
    "line",
    [
        'import * as a from "./a.js";',
        'import a from "./a.js";',
        'import "./a.js";',
        'import { a } from "library";',
        "export { a };",
        'export * from "./a.js";',
        "export let a = 1;",
    ],
)
def test_other_imports_and_exports_are_refused(tmp_path, line):
    (tmp_path / "entry.js").write_text(f"const b = 1;\n{line}\n")
    with pytest.raises(ValueError, match="cannot be joined"):
        join_modules(tmp_path / "entry.js")


def test_a_circle_of_imports_is_refused(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nexport const a = b;\n')
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = a;\n')
    with pytest.raises(ValueError, match="a.js imports itself by way of b.js".replace(".", r"\.")):
        join_modules(tmp_path / "a.js")


def test_a_part_of_the_stage_has_a_name_of_its_own():
    names = re.findall(r'data-part="([^"]+)"', PARTS["html"])
    assert len(names) > 80 and sorted(names) == sorted(set(names))
