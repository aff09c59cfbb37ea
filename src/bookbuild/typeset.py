"""Words and numbers of records as HTML: real minus signs, powers, Greek letters, formulas between dollars."""

from __future__ import annotations

import math
import re
from html import escape

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
}
_LETTER = rf"(?:[A-Za-z]|{'|'.join(GREEK)})"
#: A variable: a letter that stands alone, behind a number or as a differential; the article only where something is
#: said to equal it. An expectation, a probability, a normal law, and initials of names are no variables.
VARIABLE = (
    r"(?:(?<=\bd)[A-Zt-z]"
    rf"|(?<![A-Za-z_.'’<{''.join(GREEK.values())}-])"
    r"(?:(?<!\d)(?:[b-z](?!\.\w)|(?:[CDF-HJ-MOQ-Z]|[EPN](?![(\[]))(?!\.(?:\w| [A-Z][a-z]))|[aAB](?= [=<>≤≥])|[α-ορ-ω])"
    r"|(?<![A-Za-z]\d)(?<=\d)[ndtTLH]))(?![\w>'’-])"
)
#: What is typed in ASCII, and how it is set; the order matters.
RULES = (
    (r"\bsqrt\((\w)\)", r"√\1"),
    (r"\bsqrt\(([^()]+)\)", r"√(\1)"),
    (r"\^(?:\(([^()]+)\)|(-?\w+(?:/\w+)?))", lambda found: f"<sup>{(found[1] or found[2]).replace('-', MINUS)}</sup>"),
    (r"(?<=[\w)>]) - (?=[\w(])", f" {MINUS} "),
    (rf"(?<![A-Za-z_])({_LETTER})_(\w)(?!\w)", r"\1<sub>\2</sub>"),
    (rf"(?<![A-Za-z])({'|'.join(GREEK)})(?![A-Za-z])", lambda found: GREEK[found[1]]),
    (r"(?<=[\w)])\*(?=\w)", "·"),
    (r"(?<![\w.)-])-(?=[\d.(])", MINUS),
    (r"(?<=[=,;(] )-(?=\w)|(?<=\()-(?=\w)|(?<= )-(?=[A-Za-z](?![A-Za-z]))", MINUS),
    (r"(\d(?:\.\d+)?)e([+-]?\d+)\b", lambda found: _power(found[1], int(found[2]))),
    (r"\bIto\b", "Itô"),
    (VARIABLE, r"<i>\g<0></i>"),
)
#: Mathematics that is left in ASCII once a text has been set: signs of operations, names of letters, a minus.
LEFT = re.compile(rf"[*^]|\w_\w|\bsqrt\b|->|[<>!]=|\b(?:{'|'.join(GREEK)}|infty)\b|(?<![\w.)\]{MINUS}-])-(?=[\w.(])")
FORMULA = re.compile(r"\$([^$]+)\$")
#: Beyond these sizes a number is written with a power of ten.
SMALL, LARGE = 1e-3, 1e5


def words(text: str) -> str:
    """Text with mathematics in ASCII or between dollars, as HTML."""
    pieces = FORMULA.split(text)
    return "".join(formula(piece) if odd % 2 else _plain(piece) for odd, piece in enumerate(pieces))


def caption(text: str) -> str:
    """The same for text in Markdown: what stands between dollars, backticks or angle brackets is left as it is."""
    pieces = re.split(r"(\$[^$]+\$|`[^`]+`|<[^>]+>|\{[^}]+\})", text)
    return "".join(piece if odd % 2 else _set(piece) for odd, piece in enumerate(pieces))


def markdown(text: str) -> str:
    """The same for a title in Markdown: formulas between dollars are left to it, which escapes them, once."""
    pieces = FORMULA.split(text)
    return "".join(f"${piece}$" if odd % 2 else _plain(piece) for odd, piece in enumerate(pieces))


def formula(tex: str) -> str:
    """A formula for MathJax, as Sphinx writes it."""
    return rf'<span class="math notranslate nohighlight">\({escape(tex)}\)</span>'


def bare(text: str) -> str:
    """The same text where no markup may stand: an attribute, a description, a data file."""
    return " ".join(re.sub(r"\\[a-zA-Z]+|[$\\{}]", lambda found: _named(found[0]), text).split())


def number(value: float, decimals: int) -> str:
    """A number with so many decimals; very small and very large ones with a power of ten."""
    if not math.isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value and not SMALL <= abs(value) < LARGE and round(value, decimals):
        exponent = math.floor(math.log10(abs(value)))
        digits = min(max(decimals + exponent, 1), 3)
        return _power(f"{value / 10**exponent:.{digits}f}", exponent)
    shown = f"{value:.{max(decimals, 0)}f}"
    return shown.replace("-", MINUS) if float(shown) else shown.lstrip("-")


def rough(value: float, digits: int = 3) -> str:
    """A number with so many digits; thousands are set apart."""
    if value == 0 or not math.isfinite(value):
        return number(value, 0)
    size = math.floor(math.log10(abs(value)))
    if 1000 <= abs(value) < LARGE:
        return f"{round(value, digits - 1 - size):,.0f}".replace("-", MINUS)
    text = number(value, min(max(digits - 1 - size, 0), 12))
    return re.sub(r"\.?0+(?=$| )", "", text, count=1) if "." in text else text


def decimals_of(error: float) -> int:
    """Decimals that an error of this size leaves: two of its digits if it begins with 1 or 2, otherwise one."""
    return min(max(_place(error), 0), 12)


def _place(error: float) -> int:
    """The same for errors of any size: -1 leaves tens."""
    exponent = math.floor(math.log10(error))
    return -exponent + (error / 10**exponent < 3)


def measured(value: float, error: float) -> str:
    """A value with its standard error, both to the decimals that the error leaves."""
    decimals = decimals_of(error)
    size = max(abs(value), error)
    if SMALL <= size < LARGE:
        return f"{number(value, decimals)} ± {error:.{decimals}f}"
    exponent = math.floor(math.log10(size))
    left = max(_place(error) + exponent, 0)
    pair = f"({value / 10**exponent:.{left}f} ± {error / 10**exponent:.{left}f})".replace("-", MINUS)
    return _power(pair, exponent)


def count(number_of: int, one: str, many: str = "") -> str:
    """So many things, in the singular or the plural."""
    return f"{number_of} {one if number_of == 1 else many or one + 's'}"


def ordinal(place: int) -> str:
    """1st, 2nd, 3rd, 4th and so on."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def _power(mantissa: str, exponent: int) -> str:
    raised = str(exponent).replace("-", MINUS)
    return f"{mantissa.replace('-', MINUS)} {TIMES} 10<sup>{raised}</sup>"


def _plain(text: str) -> str:
    return _set(escape(text, quote=False))


def _set(text: str) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)  # type: ignore[call-overload]
    return text


def _named(command: str) -> str:
    """A command of TeX as a letter, if it is one; its delimiters as nothing."""
    name = command.strip(" \\")
    named = {**GREEK, "infty": "∞", "to": "→", "lt": "<", "gt": ">", "ge": "≥", "le": "≤", "sqrt": "√", "times": TIMES}
    return named.get(name, "")
