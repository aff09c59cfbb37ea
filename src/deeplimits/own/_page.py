"""Reports and comparisons as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template
from typing import TYPE_CHECKING

from .. import __version__
from . import _pictures
from ._words import number, plain, span_of

if TYPE_CHECKING:
    from ._advice import Advice
    from .comparisons import Comparison
    from .reports import Report

PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --text: #1a1a1a; --ground: #ffffff; --line: #c8c8c8; --soft: #f3f3f3; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--ground); margin: 0 auto;
  max-width: 46rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
figure { margin: 1.5rem 0; } figcaption { font-size: 0.9rem; } svg { width: 100%; height: auto; }
pre { background: var(--soft); padding: 0.8rem; overflow-x: auto; overflow-wrap: normal; font-size: 0.85rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.prose td { white-space: normal; min-width: 9rem; }
footer { margin-top: 3rem; font-size: 0.85rem; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e4e4; --ground: #16181c; --line: #444; --soft: #24272d; }
  svg { filter: invert(0.9) hue-rotate(180deg); }
}
</style>
</head>
<body>
<h1>$title</h1>
$body
<footer>Made by deeplimits $version. Bands hold 90 % of the networks. The networks were sampled without weight matrices.
</footer>
</body>
</html>
""")

CAPTIONS = (
    "The root mean square of a neuron at each layer, of the first input. Line: median; band: 5 to 95 % of networks.",
    "The correlation of two inputs at each layer.",
    "The norm of the gradient of the loss at each layer: with respect to the states there, and to the layer's own "
    "parameters.",
)


def report(found: Report) -> str:
    """A report as a page."""
    parts = [_sentences(found.sentences), _advice(found), _figures([found]), "<h2>By layer</h2>", _table(found)]
    return page(f"Initialisation of {found.design}", parts, found.version)


def comparison(found: Comparison) -> str:
    """A comparison as a page."""
    heads = "".join(f'<th scope="col">{escape(str(one.label))}</th>' for one in found.reports)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        for name, values in found.rows().items()
    )
    parts = [
        _sentences(found.differences()),
        f'<div class="wide prose" tabindex="0"><table><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>",
        _figures(found.reports),
    ]
    for one in found.reports:
        parts += [f"<h2>{escape(str(one.label))}</h2>", _table(one)]
    return page(f"{found.reports[0].label} against {found.reports[1].label}", parts)


def page(title: str, parts: Sequence[str], version: str = __version__) -> str:
    """A page of some parts, and the version that measured what it says."""
    return PAGE.substitute(title=escape(title), body="\n".join(parts), version=escape(version))


def _sentences(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in sentences) + "</ul>"


def _figures(reports: Sequence[Report]) -> str:
    pictures = (_pictures.norms(reports), _pictures.correlations(reports), _pictures.gradients(reports))
    return "\n".join(
        f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
        for picture, caption in zip(pictures, CAPTIONS, strict=True)
    )


def _advice(found: Report) -> str:
    return "".join(_one(advice) for advice in found.advice)


def _one(advice: Advice) -> str:
    logs = advice.target != "correlation"
    after = "" if advice.after is None else f" With the change: {span_of(advice.after, logs)}."
    code = "".join(
        f"<h3>{name}</h3><pre><code>{escape(lines)}</code></pre>"
        for name, lines in (("PyTorch", advice.torch), ("JAX", advice.jax))
        if lines is not None
    )
    return (
        f"<h2>To have {escape(advice.target)} = {advice.wanted:g}</h2><p>{escape(advice.text)} "
        f"Now: {span_of(advice.before, logs)}.{after}</p>{code}"
    )


def _table(found: Report) -> str:
    heads = (
        "layer",
        "size, 5 %",
        "median",
        "95 %",
        "infinite width",
        "correlation",
        "gradient",
        "dead",
        "beyond float16",
    )
    norm, rho, back = (found.bands(name) for name in ("norm", "correlation", "gradient"))
    half, dead = found.beyond("float16"), found.dead
    rows = []
    for k, name in enumerate(found.layers):
        limit = "" if found.infinite.norm is None else number(found.infinite.norm[k])
        cells = [escape(name), *map(number, norm[:, k]), limit, plain(rho[1, k]), number(back[1, k])]
        rows.append([*cells, f"{dead[k]:.0%}", f"{half[k]:.0%}"])
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
