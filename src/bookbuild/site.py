"""Build the site beside the last good one and swap it in.

A claim that does not hold, a warning of Sphinx or a dead link stops the build, and the last good
site stays where it is.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from bookbuild import (
    BuildError,
    api,
    audit,
    check,
    citations,
    claim_pages,
    claims,
    figures,
    hardening,
    landing,
    licences,
    mutants,
    pages,
    printed,
    provenance,
    recorded,
    rendering,
    stage,
)

SITE = Path("_build/html")
PREVIOUS = Path("_build/html.previous")
NEXT = Path("_build/html.next")
#: The profile that a site shows, and what it was made from.
STAMP = ".built"
INPUTS = ".inputs.json"


def swap(new: Path) -> None:
    """Put a finished site in the place of the last one."""
    shutil.rmtree(PREVIOUS, ignore_errors=True)
    if SITE.exists():
        SITE.rename(PREVIOUS)
    new.rename(SITE)
    shutil.rmtree(PREVIOUS, ignore_errors=True)


def recover() -> None:
    """Put the last good site back where a swap was cut in two."""
    if PREVIOUS.exists() and not SITE.exists():
        PREVIOUS.rename(SITE)


def build(profile: str, inputs: dict[str, str]) -> None:
    """Stage, render, check and swap in; `inputs` is what the site is made from, as it was before."""
    started = time.time()
    shown = pages.of_book(profile)
    evidence = claims.records(shown)
    listed = claims.load()
    joined = claims.join(listed, evidence, profile)
    if unfounded := printed.faults(shown, listed, evidence, printed.load(), profile):
        raise BuildError(*unfounded)
    stage.build(
        shown,
        {
            "reference/_claims.md": claim_pages.to_markdown(
                joined, evidence, {page.name: page.title for page in shown}, stage.bibliography_keys()
            ),
            "reference/_cite.md": citations.to_markdown(list(claims.PAPERS)),
            "reference/_figures.md": figures.to_markdown(shown, {claim["id"]: claim["title"] for claim in listed}),
            "_landing.md": landing.to_markdown(evidence, shown),
            "reference/_mutations.md": mutants.to_markdown(mutants.load()),
            "reference/_hardening.md": hardening.to_markdown(hardening.load()),
            "own/_recorded.md": recorded.to_markdown(recorded.load()),
            **rendering.drawn(inputs),
            "reference/_licences.md": licences.to_markdown(),
            "reference/_provenance.md": provenance.to_markdown([page.run() for page in shown], profile),
            **api.pages(),
        },
        listed,
    )
    new = rendering.stamped(rendering.render(inputs), NEXT, provenance.stamp(profile))
    (new / "claims.json").write_text(claims.to_json(joined, profile, provenance.commit()), encoding="utf-8")
    shutil.copyfile(claims.SCHEMA, new / claims.SCHEMA.name)
    faults = check.faults(new) + audit.site_faults(new, shown)
    if faults:
        raise BuildError(*faults, f"the site did not pass its checks; it is kept in {new}")
    (new / STAMP).write_text(f"{profile}\n", encoding="utf-8")
    (new / INPUTS).write_text(json.dumps(inputs), encoding="utf-8")
    swap(new)
    print(f"  built the site in {time.time() - started:.1f} s", flush=True)
