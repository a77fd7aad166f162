"""Where a dataset comes from, so that another process can make it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Source:
    """What `load_dataset` or `Dataset.from_csv` was given; equal sources of the same version make equal datasets.

    Attributes
    ----------
    dataset : the name in `DATASETS`; empty for a file.
    file : name of the CSV file, without folders; empty for a dataset that comes with treeviz. The numbers in it are not
        part of the source: who makes the dataset again needs the file.
    options : (name, value) of all arguments that matter, in their order. Values are numbers, text, True, False, None,
        or tuples of text.
    """

    dataset: str = ""
    file: str = ""
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a source from `as_values`; ValueError for what could not be an argument."""
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in values["options"].items()}
        if wrong := [name for name in given if not name.isidentifier()]:
            raise ValueError(f"the data have an option {wrong[0]!r}, which is no name")
        return cls(str(values["dataset"]), str(values["file"]), tuple(given.items()))

    def as_values(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"dataset": self.dataset, "file": self.file, "options": dict(self.options)}

    def as_python(self) -> str:
        """Return the Python expression that makes the dataset; a file must be in the current folder."""
        call, what = ("Dataset.from_csv", self.file) if self.file else ("load_dataset", self.dataset)
        arguments = [repr(what), *(f"{name}={value!r}" for name, value in self.options)]
        line = f"{call}({', '.join(arguments)})"
        return line if len(line) <= 100 else "\n    ".join([f"{call}(", *(f"{one}," for one in arguments)]) + "\n)"
