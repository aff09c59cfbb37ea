"""The first sentence of the landing page, made from what was measured: nothing of it is typed in."""

from __future__ import annotations

from bookbuild.pages import Page

#: The claim whose check the landing page tells.
FACT = "critical-gelu-fate"


def to_markdown(evidence: list[dict], shown: list[Page]) -> str:
    """The fact with its numbers, or nothing in a book that does not claim it."""
    record = next((each for each in evidence if each["id"] == FACT), None)
    if record is None:
        return ""
    page = next(each for each in shown if each.name == record["page"])
    sizes = page.run()["parameters"]
    dead, exploded = (f"{100 * share:.0f} %" for share in record["observed"])
    predicted = f"{100 * record['expected'][0]:.0f} %"
    return (
        f"Draw {sizes['fates']:,} random networks, {sizes['wide_width']} neurons wide and {sizes['wide_depth']} layers"
        " deep, scaled so that every signal should keep its size."
        f" **In {dead} of them it dies, in {exploded} it explodes.**"
        f" This book computes such shares before the networks are drawn (here: {predicted} die), says how to make"
        " networks that keep their signal, and checks every such sentence against simulated networks.\n"
    )
