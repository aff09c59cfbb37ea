"""How to cite the book and the papers that it explains: BibTeX as in the bibliography, and APA."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import yaml
from pybtex.database import Entry, Person, parse_file
from pybtex.richtext import Text

from bookbuild import typeset

BIBLIOGRAPHY = Path("book/references.bib")
CITATION = Path("CITATION.cff")
#: Where an entry was published, whatever its kind.
VENUES = ("journal", "booktitle", "publisher", "school", "howpublished")


def plain(text: str) -> str:
    """Text without the commands and braces of LaTeX."""
    return str(Text.from_latex(text)).replace("--", "–")


def initials(person: Person) -> str:
    """Family name and initials, as APA has them."""
    given = [f"{plain(name)[0]}." for name in person.first_names + person.middle_names]
    family = plain(" ".join(person.prelast_names + person.last_names))
    return ", ".join(filter(None, [family, " ".join(given)]))


def apa(entry: Entry) -> str:
    """A reference in APA style, in Markdown."""
    names = [initials(person) for person in entry.persons["author"]]
    authors = names[0] if len(names) == 1 else ", ".join(names[:-1]) + ", & " + names[-1]
    fields = {name: plain(value) for name, value in entry.fields.items()}
    where = next((f"*{fields[venue]}*" for venue in VENUES if venue in fields), "")
    if "volume" in fields:
        number = f"({fields['number']})" if "number" in fields else ""
        where += f", *{fields['volume']}*{number}"
    if "pages" in fields:
        where += f", {fields['pages']}"
    if "eprint" in fields:
        where = f"{where}. arXiv:{fields['eprint']}" if where else f"arXiv:{fields['eprint']}"
    return f"{authors} ({fields['year']}). {fields['title']}. {where}."


def bibtex(key: str) -> str:
    """The entry as it stands in the bibliography."""
    entries = BIBLIOGRAPHY.read_text(encoding="utf-8")
    found = re.search(rf"^@\w+\{{{re.escape(key)},.*?^\}}$", entries, re.MULTILINE | re.DOTALL)
    assert found, key
    return found[0]


def named(author: dict[str, str], family_first: bool = False) -> str:
    """An author of CITATION.cff: a person, or a group."""
    if "family-names" not in author:
        return author["name"]
    given, family = author["given-names"], author["family-names"]
    return f"{family}, {given}" if family_first else f"{given} {family}"


def read() -> dict[str, Any]:
    """What CITATION.cff says."""
    return _parsed(CITATION.read_text(encoding="utf-8"))


@functools.cache
def _parsed(text: str) -> dict[str, Any]:
    return yaml.safe_load(text)


def of_book() -> tuple[str, str]:
    """The book itself, in APA style and as BibTeX, from CITATION.cff."""
    about = read()
    where = f"https://doi.org/{about['doi']}" if about.get("doi") else site() or about.get("repository-code") or ""
    return _cited(about, f"*{about['title']}* (version {about['version']}).", where, {})


def of_claim(title: str, name: str, page: str) -> tuple[str, str]:
    """A claim of the book by its permanent name; its address is known once that of the site is."""
    about = read()
    where = f"{site()}/latest/{page}" if site() else ""
    text = f"{typeset.markdown(title)} (claim `{name}`). In *{about['title']}* (version {about['version']})."
    return _cited(about, text, where, {"title": f"{typeset.bare(title)} (claim {name})", "booktitle": about["title"]})


def site() -> str:
    """The public address of the site (`url` in CITATION.cff), if it has one."""
    return str(read().get("url", "")).rstrip("/")


def _cited(about: dict, text: str, where: str, changes: dict[str, str]) -> tuple[str, str]:
    """A reference and an entry; `where` is an address, a DOI among them."""
    year = about["date-released"][:4]
    authors = [named(each, family_first=True) for each in about["authors"]]
    people = [
        each if "family-names" in author else f"{{{each}}}"
        for each, author in zip(authors, about["authors"], strict=True)
    ]
    fields = {"author": " and ".join(people), "title": about["title"], **changes}
    fields |= {"year": year, "version": about["version"]}
    doi = where.removeprefix("https://doi.org/")
    if where:
        fields |= {"doi": doi} if doi != where else {"url": where}
    key = f"deeplimits-{changes['title'].rpartition('claim ')[2][:-1]}" if changes else "deeplimits"
    lines = ",\n".join(f"  {name:<7} = {{{value}}}" for name, value in fields.items())
    kind = "incollection" if changes else "misc"
    reference = f"{', '.join(authors)} ({year}). {text}{f' {where}' if where else ''}"
    return reference, f"@{kind}{{{key},\n{lines}\n}}"


def block(keys: list[str]) -> str:
    """A folded block at the end of a page: the book and some papers, to copy."""
    listed, copied = copies(keys)
    return f"````{{dropdown}} Cite this page\n{listed}\n\n```bibtex\n{copied}\n```\n````\n"


def to_markdown(keys: list[str]) -> str:
    """The generated part of the page on citing: the same for the book and all of its papers, unfolded."""
    listed, copied = copies(keys)
    return f"{listed}\n\n```bibtex\n{copied}\n```\n"


def copies(keys: list[str]) -> tuple[str, str]:
    """The book and some papers as a list in APA style, and as BibTeX."""
    entries = parse_file(BIBLIOGRAPHY).entries
    book, book_entry = of_book()
    return (
        "\n".join(f"* {line}" for line in [book, *(apa(entries[key]) for key in keys)]),
        "\n\n".join([book_entry, *(bibtex(key) for key in keys)]),
    )
