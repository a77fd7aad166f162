"""How to cite: the paper the method is from, and this version of the program, in BibTeX."""

from importlib.metadata import metadata

from treeviz.related.literature import load_papers

AUTHORS = "The treeviz authors"
YEAR = 2026  # of this version, as in the licence


def bibtex() -> str:
    """Return two BibTeX entries: `deng2022training`, the paper, and `treeviz`, this version of the program.

    Titles, names and numbers come from the map of related work and from the metadata of the installed package.
    """
    (paper,) = (one for one in load_papers() if one.role == "this")
    program = metadata("treeviz")
    first_author, first_word = paper.authors[0].split()[-1], paper.title.split()[0]
    return "\n".join(
        [
            _entry(
                "misc",
                f"{first_author}{paper.year}{first_word}".lower(),
                title=f"{{{paper.title}}}",
                author=" and ".join(paper.authors),
                year=str(paper.year),
                eprint=paper.arxiv,
                archiveprefix="arXiv",
                url=f"https://arxiv.org/abs/{paper.arxiv}",
            ),
            _entry(
                "software",
                "treeviz",
                title=f"{{treeviz}}: {program['Summary'].rstrip('.')}",
                author=f"{{{AUTHORS}}}",
                year=str(YEAR),
                version=program["Version"],
                license=program["License-Expression"],
                note=f"Version {program['Version']}",
            ),
        ]
    )


def _entry(kind: str, key: str, **fields: str) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}\n"
