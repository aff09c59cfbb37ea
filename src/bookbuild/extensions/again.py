"""Sphinx extension: of a book that was built before, the pages whose content has changed, and all that this changes.

Sphinx decides by dates which files to read again; here content decides. It writes anew what it has read anew and what
is numbered otherwise, but not a page that shows a title, a label or a citation of another page. So what pages can see
of each other, which is the environment of Sphinx, is compared before and after: if it differs in anything but its
order and the numbers of lines, every page is written. If it does not, a page that was not read is what it was.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import ENV_PICKLE_FILENAME
from sphinx.environment import BuildEnvironment

from bookbuild.extensions import definitions, narrow

#: Of the environment, what no other page can see: when and from what files a page was read, where the code of a page
#: leads to (no page lists the uses of a name), what is made at every start, and the copies for comparison.
UNSEEN = {
    "all_docs",
    "app",
    "config",
    "config_status",
    "config_status_extra",
    "content",
    "dependencies",
    "domains",
    "events",
    "project",
    "settings",
    "sphinx_codeautolink_transforms",
    "srcdir",
    "temp_data",
    "titles_old",
    "_pickled_doctree_cache",
    "_write_doc_doctree_cache",
}
#: Pages whose text is shown on others.
SHOWN = {definitions.PAGE}
#: Where a thing stands in its file, and how many words the page has.
ASIDE = {"line", "lineno", "doc_lineno", "wordcount"}


def content_of(env: BuildEnvironment, page: str) -> dict[str, str]:
    """The digests of the file of a page and of all files that it was read with."""
    paths = [Path(env.doc2path(page)), *(Path(env.srcdir, name) for name in sorted(env.dependencies.get(page, ())))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths}


def plain(thing: Any) -> Any:
    """Something as text whose order is that of its content."""
    if isinstance(thing, nodes.Node):
        return thing.pformat()
    if isinstance(thing, dict):
        return sorted((repr(plain(key)), plain(value)) for key, value in thing.items() if key not in ASIDE)
    if isinstance(thing, set | frozenset):
        return sorted(repr(plain(each)) for each in thing)
    if hasattr(thing, "_asdict"):
        return plain(thing._asdict())
    if isinstance(thing, list | tuple):
        return [plain(each) for each in thing]
    if hasattr(thing, "__dict__") and not isinstance(thing, type):
        return [type(thing).__name__, plain(vars(thing))]
    return repr(thing)


def seen(env: BuildEnvironment) -> dict[str, str]:
    """What pages can see of each other, as digests by name."""
    return {
        name: hashlib.sha256(repr(plain(value)).encode()).hexdigest()
        for name, value in vars(env).items()
        if name not in UNSEEN
    }


def outdated(app: Any, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """For Sphinx: the pages to read again, by content; what was known before is kept for `dependents`.

    It is one page at least, without which Sphinx ends before it copies files.
    """
    known: dict[str, dict[str, str]] = getattr(env, "content", {})
    app.builder.known = seen(env) if known and not added and not removed else None
    found = [page for page in known if page in env.found_docs and known[page] != content_of(env, page)]
    return found or ([env.config.root_doc] if known else [])


def remember(app: Any, env: BuildEnvironment) -> None:
    """Keep the digests of what was read, and its references in the order of a book read from scratch."""
    known: dict[str, dict[str, str]] = getattr(env, "content", {})
    env.content = {page: content_of(env, page) for page in sorted(env.all_docs)}  # type: ignore[attr-defined]
    app.builder.read_again = {page for page, digests in env.content.items() if known.get(page) != digests}  # type: ignore[attr-defined]
    cited = env.domaindata.get("cite", {}).get("citation_refs")
    if cited:
        cited.sort(key=lambda reference: reference.docname)


def dependents(app: Any, env: BuildEnvironment) -> set[str]:
    """For Sphinx: every page, if pages see something new of each other."""
    known, read = app.builder.known, app.builder.read_again
    if known is None or (known == seen(env) and not read & SHOWN):
        return set()
    return set(env.found_docs)


def keep_entries(app: Any) -> None:
    """Keep the entries of the search that Sphinx does not read back, and put them in the order of the pages."""
    dump = getattr(app.builder, "dump_search_index", None)
    if dump is None:
        return
    path = Path(app.doctreedir, "index-entries.json")

    def dump_search_index() -> None:
        indexer = app.builder.indexer
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        whole = {page: indexer._index_entries.get(page, kept.get(page, [])) for page in sorted(indexer._titles)}
        indexer._index_entries = whole
        path.write_text(json.dumps(whole), encoding="utf-8")
        dump()

    app.builder.dump_search_index = dump_search_index


def tidy(app: Any, failure: Exception | None) -> None:
    """Remove the pictures that no page shows any longer.

    Of two pictures of one name the one that is read first keeps it: such a book is read from scratch the next time.
    """
    if failure or app.builder.name != "html":
        return
    names = {name: Path(path).name for path, (_, name) in app.env.images.items()}
    shown = {*names, *map(narrow.beside, names)}
    for path in Path(app.outdir, app.builder.imagedir).glob("*"):
        if path.name not in shown:
            path.unlink()
    if any(name != own for name, own in names.items()):
        Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink()


def setup(app: Any) -> dict[str, Any]:
    """Decide after all others."""
    app.connect("builder-inited", keep_entries)
    app.connect("env-get-outdated", outdated, priority=900)
    app.connect("env-updated", remember, priority=100)
    app.connect("env-get-updated", dependents, priority=900)
    app.connect("build-finished", tidy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
