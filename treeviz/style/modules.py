"""Scripts of the browser components: ES modules in files, joined into the one script that a component takes.

A file is an ordinary module that Node, a type checker and a linter read as it is. It may import names from other files
by a relative path, `import { a, b } from "./other.js"`, and export at a declaration, `export const`, `export function`,
`export class`; the entry has an `export default`. Names are not changed, so they must differ among the files joined.

What others have written stands as it was published in a folder named `vendor`: a module without imports that ends in
`export { a as b }`. It is put in a function, so that only the names it exports are seen by the rest.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|function|class|async function) )", re.MULTILINE)
_OTHER = re.compile(r"^(?:import\b|export\b(?! default )).*", re.MULTILINE)

_EXPORTS = re.compile(r"^(?P<code>.*)\bexport ?\{(?P<names>[^{}]*)\};?\s*(?://#.*)?$", re.DOTALL)


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
    if path.parent.name == "vendor":
        return _closed(path)
    text = _EXPORT.sub("", _IMPORT.sub("", path.read_text(encoding="utf-8")))
    if other := _OTHER.search(text):
        raise ValueError(f"{path.name} has a form of import or export that cannot be joined: {other[0]}")
    return text


def _closed(path: Path) -> str:
    """Return a module of others as one declaration of the names that it exports."""
    found = _EXPORTS.match(path.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(f"{path.name} does not end in the names that it exports, in braces")
    pairs = [name.split(" as ") for name in found["names"].split(",")]
    names = {pair[-1].strip(): pair[0].strip() for pair in pairs}
    names.pop("default", None)
    held = ", ".join(f"{name}: {own}" for name, own in names.items())
    return f"const {{ {', '.join(names)} }} = (() => {{\n{found['code']}\nreturn {{ {held} }};\n}})();\n"
