"""Reports and diagnoses of known architectures, as `python -m bookbuild.recorded` made them.

It needs PyTorch and transformers, and minutes; the book shows what was recorded and makes none of it. `--only NAME`
records one of them again. `book/recorded.json` keeps what was said, by what versions and in how many seconds; the
pages themselves lie below `book/_static/recorded`, as a reader's own command would write them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbuild import provenance, typeset
from bookbuild.claims import cell

RESULTS, PAGES = Path("book/recorded.json"), Path("book/_static/recorded")
#: What may have made a number, beside the package.
PACKAGES = ("deeplimits", "numpy", "scipy", "torch", "transformers")


@dataclass(frozen=True)
class Recorded:
    """A report or a diagnosis: its title, what a reader types to have the same, and what makes it here."""

    title: str
    call: str
    make: Callable[[], Any]


def _preset(title: str, name: str) -> Recorded:
    def make() -> Any:
        import deeplimits

        return deeplimits.report(name, progress=False)

    return Recorded(title, f"deeplimits report --preset {name}", make)


def _perceptron() -> Any:
    import deeplimits
    from deeplimits.own.designs import perceptron

    return deeplimits.report(perceptron(1024, 96, "gelu", "he"), target={"norm": 1.0}, progress=False)


def _gpt2(change: bool) -> Callable[[], Any]:
    def make() -> Any:
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        import deeplimits

        torch.manual_seed(1)
        model: Any = GPT2LMHeadModel(GPT2Config())
        if change:
            model.transformer.h[7].mlp.c_proj.weight.data *= 2**0.5
        tokens = torch.randint(0, 50257, (2, 8), generator=torch.Generator().manual_seed(1))
        return deeplimits.diagnose(model, tokens, progress=False)

    return make


#: By the name of its files.
ALL = {
    "gelu-he": Recorded(
        "A deep network with GELU and He's gain",
        "deeplimits report --width 1024 --depth 96 --activation gelu --init he --target norm=1",
        _perceptron,
    ),
    "gpt2": _preset("GPT-2 small", "gpt2"),
    "gpt2-xl": _preset("GPT-2 xl", "gpt2-xl"),
    "gpt3": _preset("GPT-3", "gpt3"),
    "llama-7b": _preset("Llama, 7 billion weights", "llama-7b"),
    "llama-70b": _preset("Llama, 70 billion weights", "llama-70b"),
    "vit-base": _preset("Vision transformer, base", "vit-base"),
    "diagnosis-sound": Recorded(
        "GPT-2 small of transformers, as it is drawn", "deeplimits.diagnose(model, tokens)", _gpt2(False)
    ),
    "diagnosis-gain": Recorded(
        "The same with one matrix $\\sqrt2$ times too large", "deeplimits.diagnose(model, tokens)", _gpt2(True)
    ),
}


def record(name: str, results: Path = RESULTS, folder: Path = PAGES) -> dict[str, Any]:
    """Make one of them, write it as JSON, and keep what is said of it."""
    started = time.process_time()
    found = ALL[name].make()
    seconds = time.process_time() - started
    folder.mkdir(parents=True, exist_ok=True)
    found.save(folder / f"{name}.json")
    entry = {
        "networks": found.as_dict()["networks"],
        "sentences": found.sentences,
        "processor seconds": round(seconds, 1),
        "made": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": provenance.git("log", "-1", "--format=%h", "--abbrev=12", "--", "src/deeplimits")[1],
        "versions": provenance.versions(PACKAGES),
    }
    kept = load(results) | {name: entry}
    text = json.dumps({each: kept[each] for each in ALL if each in kept}, indent=1) + "\n"
    results.write_text(text, encoding="utf-8")
    return entry


def load(results: Path = RESULTS) -> dict[str, Any]:
    """What has been recorded, by name."""
    return json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}


def to_markdown(recorded: dict[str, Any]) -> str:
    """The generated part of the page: what each report says first, and where it stands whole."""
    if not recorded:
        return "Nothing has been recorded yet.\n"
    lines = []
    for name, entry in recorded.items():
        versions = ", ".join(f"{package} {version}" for package, version in entry["versions"].items())
        first, *rest = entry["sentences"]
        lines += [
            f"## {ALL[name].title}",
            "",
            f"`{ALL[name].call}`",
            "",
            said(first),
            "",
            *(f"- {said(one)}" for one in rest[:6]),
            "",
            f'<a href="../../_static/recorded/{name}.html">The whole page</a> and'
            f' <a href="../../_static/recorded/{name}.json">its numbers</a>. Made on {entry["made"]} in'
            f" {entry['processor seconds']:.0f} s of the processor, by the package of commit {entry['commit']},"
            f" with {versions}.",
            "",
        ]
    return "\n".join(lines)


def said(sentence: str) -> str:
    """A sentence of a report for the page: its numbers are set as they are elsewhere in the book."""
    return typeset.caption(cell(sentence))


def main() -> None:
    """Record all, or one."""
    parser = argparse.ArgumentParser(prog="bookbuild.recorded", description="Record reports and diagnoses.")
    parser.add_argument("--only", choices=ALL, help="record this one again and leave the others")
    for name in [asked] if (asked := parser.parse_args().only) else ALL:
        entry = record(name)
        print(f"{name}: {entry['networks']} networks, {entry['processor seconds']} s of processor", flush=True)


if __name__ == "__main__":
    main()
