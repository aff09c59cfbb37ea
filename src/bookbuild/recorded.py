"""Reports and diagnoses of known architectures, as `python -m bookbuild.recorded` made them.

It needs PyTorch and transformers, and minutes; the book shows what was recorded and makes none of it. `--only NAME`
records one of them again. `book/recorded.json` keeps what was said, by what versions and in how many seconds; the
numbers lie below `book/_static/recorded`, as a reader's own command would write them, and the build draws the pages.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbuild import provenance, typeset
from bookbuild.claims import cell

RESULTS, NUMBERS = Path("book/recorded.json"), Path("book/_static/recorded")
#: Where the pages of reports, and the picture of all of them, lie in the book.
PAGES = "_static/recorded"
PICTURE = "_figures/fig-recorded.svg"
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


def record(name: str, results: Path = RESULTS, folder: Path = NUMBERS) -> dict[str, Any]:
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


#: How each report is drawn in the picture: the colour of its family, and a line style.
LINES: dict[str, tuple[str, Any]] = {
    "gelu-he": ("control", "-"),
    "gpt2": ("network", ":"),
    "gpt2-xl": ("network", "--"),
    "gpt3": ("network", "-"),
    "llama-7b": ("limit", "--"),
    "llama-70b": ("limit", "-"),
    "vit-base": ("infinite_width", "-."),
}


def drawn(folder: Path = NUMBERS) -> dict[str, str]:
    """The pages of all that is recorded and the picture of its reports, by their paths in the book.

    Raises: ValueError for a file that is damaged or of another schema.
    """
    if not (paths := sorted(folder.glob("*.json"))):
        return {}
    from deeplimits import own

    found: dict[str, Any] = {}
    for path in paths:
        kind: Any = (
            own.Diagnosis if "diagnosis" in json.loads(path.read_text(encoding="utf-8"))["schema"] else own.Report
        )
        found[path.stem] = kind.from_json(path)
    pages = {f"{PAGES}/{name}.html": one.html() for name, one in found.items()}
    reports = {name: one for name, one in found.items() if isinstance(one, own.Report)}
    return pages | ({PICTURE: picture(reports)} if reports else {})


def picture(reports: dict[str, Any]) -> str:
    """The size of a neuron and the gradient along the depth of each network, as SVG."""
    import matplotlib as mpl
    import numpy as np

    from deeplimits import figures

    with mpl.rc_context():
        figures.use()
        panels: Any = figures.panels(1, 2, height=3.6)
        figure, axes = panels
        for name, one in reports.items():
            role, style = LINES[name]
            first, last = one.span
            depth = np.linspace(0, 1, last - first + 1)
            for ax, measured, start in ((axes[0], "norm", 0), (axes[1], "gradient", -1)):
                low, middle, high = one.bands(measured)[:, first : last + 1]
                shift = middle[start]
                if not np.all(np.isfinite(middle)):
                    continue  # a gradient that is 0 has no logarithm
                figures.curve(ax, depth, middle - shift, role, linestyle=style, label=ALL[name].title)
                ax.fill_between(depth, low - shift, high - shift, color=getattr(figures.colours, role), alpha=0.15)
        axes[0].set(xlabel="share of the depth", ylabel="log$_{10}$ size", ylim=(-1.5, 4))
        axes[1].set(xlabel="share of the depth", ylabel="log$_{10}$ gradient", ylim=(-1.5, 5))
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        mpl.pyplot.close(figure)
    return out.getvalue()


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
