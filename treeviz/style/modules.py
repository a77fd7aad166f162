"""Scripts of the browser components: ES modules in files, joined into the one script that a component takes.

A file is an ordinary module that Node, a type checker and a linter read as it is. It may import names from other files
by a relative path, `import { a, b } from "./other.js"`, and export at a declaration, `export const`, `export function`,
`export class`; the entry has an `export default`. Names are not changed, so they must differ among the files joined.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|function|class|async function) )", re.MULTILINE)
_OTHER = re.compile(r"^(?:import\b|export\b(?! default )).*", re.MULTILINE)


def join_modules(entry: Path) -> str:
    """Return one module made of `entry` and all files it imports, also by way of others, each after those it needs.

    Raises ValueError if a file imports or exports in another form than those named above.
    """
    files: list[Path] = []
    _collect(entry.resolve(), files)
    return "\n".join(_body(path) for path in files)


def _collect(path: Path, files: list[Path], above: tuple[Path, ...] = ()) -> None:
    if path in above:
        raise ValueError(f"{path.name} imports itself by way of {above[-1].name}: move what both need to a third file")
    for name in _IMPORT.findall(path.read_text(encoding="utf-8")):
        _collect((path.parent / name).resolve(), files, (*above, path))
    if path not in files:
        files.append(path)


def _body(path: Path) -> str:
    text = _EXPORT.sub("", _IMPORT.sub("", path.read_text(encoding="utf-8")))
    if other := _OTHER.search(text):
        raise ValueError(f"{path.name} has a form of import or export that cannot be joined: {other[0]}")
    return text
