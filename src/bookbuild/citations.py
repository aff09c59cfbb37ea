"""How to cite the book and the papers that it explains: BibTeX as in the bibliography, and APA."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pybtex.database import Entry, Person, parse_file
from pybtex.richtext import Text

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


def of_book() -> tuple[str, str]:
    """The book itself, in APA style and as BibTeX, from CITATION.cff."""
    about = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    title, version, year = about["title"], about["version"], about["date-released"][:4]
    authors = [named(each, family_first=True) for each in about["authors"]]
    people = [
        each if "family-names" in author else f"{{{each}}}"
        for each, author in zip(authors, about["authors"], strict=True)
    ]
    fields = {"author": " and ".join(people), "title": title, "year": year, "version": version}
    doi, url = about.get("doi"), about.get("url") or about.get("repository-code")
    if doi or url:
        fields |= {"doi": doi} if doi else {"url": url}
    lines = ",\n".join(f"  {name:<7} = {{{value}}}" for name, value in fields.items())
    where = f" https://doi.org/{doi}" if doi else f" {url}" if url else ""
    return f"{', '.join(authors)} ({year}). *{title}* (version {version}).{where}", f"@misc{{deeplimits,\n{lines}\n}}"


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
