"""A picture with several panels side by side, drawn once more for a phone: the same panels, one below the other.

The figures of Matplotlib say in their SVG what belongs to which panel. A panel is moved as it is. One that loses the
neighbour with which it shared the numbers of an axis gets a copy of them, and the entries of a legend flow into lines.
Nothing is computed again, so both pictures show the same numbers.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", LINK)
#: Points across the narrow picture: two panels of a row of three or four fit beside each other, and letters stay large.
ACROSS = 320
#: With more panels a picture is a table, whose rows and columns stay as they are.
MOST = 6
#: Points between panels, and from the handle of a legend to its words.
GAP, HANDLE = 8, 30
#: A panel as narrow as this is the colour bar of the one on its left.
BAR = 25
PLACE = re.compile(r"translate\((-?[\d.]+)[ ,]+(-?[\d.]+)\)(?:.*?rotate\((-?[\d.]+)\))?(?:.*?scale\((-?[\d.]+))?")
PAIR = re.compile(r"(-?[\d.]+) (-?[\d.]+)")


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, in points from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def around(self, *others: Box) -> Box:
        """The smallest rectangle around this one and others."""
        found = (self, *others)
        return Box(
            min(each.left for each in found),
            min(each.top for each in found),
            max(each.right for each in found),
            max(each.bottom for each in found),
        )

    def holds(self, other: Box) -> bool:
        """Whether the middle of another rectangle lies in this one."""
        x, y = (other.left + other.right) / 2, (other.top + other.bottom) / 2
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass
class Panel:
    """One pair of axes with what is drawn on it: its frame, and all elements that move with it."""

    frame: Box
    parts: list[Element] = field(default_factory=list)

    def extent(self) -> Box:
        """The frame with its titles, labels and numbers."""
        return self.frame.around(*(box for part in self.parts for box in texts(part)))


def texts(element: Element) -> Iterator[Box]:
    """About where the words in an element stand: their letters are paths, each with its place."""
    for group in element.iter(f"{{{SVG}}}g"):
        letters = group.findall(f"{{{SVG}}}use")
        found = PLACE.match(group.get("transform", ""))
        if not found or not letters:
            continue
        x, y, angle, size = (float(value) if value else 0.0 for value in found.groups())
        ends = (PLACE.match(each.get("transform", "")) for each in letters)
        width = (max((float(end[1]) for end in ends if end), default=0.0) + 60) * size
        if abs(angle) < 45:
            yield Box(x, y - 80 * size, x + width, y + 25 * size)
        else:
            yield Box(x - 80 * size, y - width, x + 25 * size, y)


def frame(axes: Element) -> Box | None:
    """The rectangle of a pair of axes, which Matplotlib draws first; none if the axes are switched off."""
    first = next(iter(axes), None)
    if first is None or not first.get("id", "").startswith("patch") or axis(axes, 0) is None:
        return None
    path = first.find(f"{{{SVG}}}path")
    places = [(float(x), float(y)) for x, y in PAIR.findall(path.get("d", ""))] if path is not None else []
    if len(places) < 4:
        return None
    xs, ys = zip(*places, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))


def axis(axes: Element, which: int) -> Element | None:
    """The x axis (0) or the y axis (1) of a pair of axes."""
    found = [each for each in axes if each.get("id", "").startswith("matplotlib.axis")]
    return found[which] if len(found) > which else None


def numbered(axes: Element, which: int) -> bool:
    """Whether an axis carries words or numbers."""
    found = axis(axes, which)
    return found is not None and any(True for _ in texts(found))


def panels_of(figure: Element) -> list[Panel] | None:
    """The panels of a figure in the order in which they are read; none if it holds pairs of axes without a frame."""
    panels: list[Panel] = []
    for axes in figure:
        if not axes.get("id", "").startswith("axes"):
            continue
        box = frame(axes)
        if box is None:
            return None
        host = next((each for each in panels if each.frame.holds(box)), None)
        if host is None and box.right - box.left < BAR:
            beside = [each for each in panels if each.frame.right <= box.left and each.frame.top < box.bottom]
            host = max(beside, key=lambda each: (each.frame.bottom > box.top, each.frame.right), default=None)
        if host is None:
            panels.append(Panel(box, [axes]))
        else:
            host.frame = host.frame.around(box)
            host.parts.append(axes)
    return panels


def rows_of(panels: list[Panel]) -> list[list[Panel]]:
    """Panels by rows, each from the left to the right."""
    rows: list[list[Panel]] = []
    for panel in sorted(panels, key=lambda each: (round(each.frame.top), each.frame.left)):
        if rows and abs(rows[-1][0].frame.top - panel.frame.top) < 2:
            rows[-1].append(panel)
        else:
            rows.append([panel])
    return rows


def moved(parts: list[Element], right: float, down: float) -> Element:
    """A group of elements at another place."""
    group = Element(f"{{{SVG}}}g", {"transform": f"translate({right:.3f} {down:.3f})"})
    group.extend(parts)
    return group


def copied(text: Element, right: float, down: float) -> Element:
    """The same words at another place; their letters are drawn by reference."""
    words = copy.deepcopy(text)
    for each in words.iter():
        each.attrib.pop("id", None)
        for letters in each.findall(f"{{{SVG}}}defs"):
            each.remove(letters)
        found = PLACE.match(each.get("transform", "")) if each.find(f"{{{SVG}}}use") is not None else None
        if found:
            place = f"translate({float(found[1]) + right:.3f} {float(found[2]) + down:.3f})"
            each.set("transform", re.sub(r"^translate\([^)]*\)", place, each.get("transform", "")))
    return words


def marks(axes: Element, which: int, start: float) -> list[float]:
    """Where the marks of an axis stand, from the start of its frame."""
    found = axis(axes, which)
    drawn = found.iter(f"{{{SVG}}}use") if found is not None else iter(())
    return sorted(round(float(each.get("xy"[which], 0)) - start, 1) for each in drawn if "xy"[which] in each.attrib)


def lend(panel: Panel, other: Panel, which: int) -> None:
    """Copy the words and numbers of an axis from a panel that shares it: one with the same marks."""
    source = axis(other.parts[0], which)
    start, theirs = (each.frame.top if which else each.frame.left for each in (panel, other))
    shared = marks(panel.parts[0], which, start) == marks(other.parts[0], which, theirs)
    if source is None or not shared or numbered(panel.parts[0], which):
        return
    right = panel.frame.left - other.frame.left if which else 0
    down = 0 if which else panel.frame.bottom - other.frame.bottom
    words = [each for each in source.iter(f"{{{SVG}}}g") if each.get("id", "").startswith("text")]
    panel.parts += [copied(each, right, down) for each in words]


def share(rows: list[list[Panel]], lines: list[list[Panel]]) -> None:
    """Give a panel that comes to stand on the left, or without another below, the numbers of the axes it shares."""
    for row in rows:
        for line in lines:
            if line[0] in row[1:] and abs(line[0].frame.bottom - row[0].frame.bottom) < 1:
                lend(line[0], row[0], 1)
    for row in rows[:-1]:
        for panel in row:
            below = next((each for each in rows[-1] if abs(each.frame.left - panel.frame.left) < 1), None)
            if below is not None:
                lend(panel, below, 0)


def lines_of(rows: list[list[Panel]], width: float) -> list[list[Panel]]:
    """How panels, or entries of a legend, are laid out: of each row as many beside each other as there is room for."""
    lines: list[list[Panel]] = []
    for row in rows:
        room = 0.0
        for panel in row:
            box = panel.extent()
            needed = box.right - box.left + GAP
            if needed > room:
                lines.append([])
                room = width + GAP
            lines[-1].append(panel)
            room -= needed
    return lines


def is_grid(rows: list[list[Panel]]) -> bool:
    """Whether each row ends before the next begins, and panels stand side by side, not too many."""
    ends = [max(panel.frame.bottom for panel in row) for row in rows]
    starts = [min(panel.frame.top for panel in row) for row in rows]
    apart = all(end < start for end, start in zip(ends, starts[1:], strict=False))
    return apart and max(map(len, rows)) > 1 and sum(map(len, rows)) <= MOST


def legend_of(legend: Element) -> list[Panel]:
    """The entries of a legend: what precedes a text is its handle."""
    entries, handle = [], list[Element]()
    for part in legend:
        handle.append(part)
        if part.get("id", "").startswith("text"):
            boxes = list(texts(part))
            words = boxes[0].around(*boxes[1:]) if boxes else Box(0, 0, 0, 0)
            entries.append(Panel(Box(words.left - HANDLE, words.top, words.right, words.bottom), handle))
            handle = []
    return entries


def set_lines(lines: list[list[Panel]], top: float, width: float, target: Element) -> float:
    """Draw lines of panels below each other; returns where the next would begin."""
    for line in lines:
        extents = [panel.extent() for panel in line]
        # frames of a line stand at the same height
        rise = max(panel.frame.top - box.top for panel, box in zip(line, extents, strict=True))
        left = (width - sum(box.right - box.left for box in extents) - GAP * (len(line) - 1)) / 2
        for panel, box in zip(line, extents, strict=True):
            target.append(moved(panel.parts, left - box.left, top + rise - panel.frame.top))
            left += box.right - box.left + GAP
        depth = max(box.bottom - panel.frame.top for panel, box in zip(line, extents, strict=True))
        top += rise + depth + GAP
    return top


def narrow(svg: str) -> str | None:
    """The picture for a phone; none if it has one panel in a row, or something whose place is not known."""
    root = ElementTree.fromstring(svg)
    figure = next((each for each in root if each.get("id") == "figure_1"), None)
    panels = panels_of(figure) if figure is not None else None
    if figure is None or not panels:
        return None
    rows = rows_of(panels)
    others = [each for each in figure if not each.get("id", "").startswith(("patch", "axes"))]
    if not is_grid(rows) or any(not each.get("id", "").startswith("legend") for each in others):
        return None
    lines = lines_of(rows, ACROSS)
    share(rows, lines)
    wide = [sum(each.extent().right - each.extent().left + GAP for each in line) - GAP for line in lines]
    entries = [entry for legend in others for entry in legend_of(legend)]
    width = max([*wide, *(entry.frame.right - entry.frame.left for entry in entries)]) + GAP
    target = Element(f"{{{SVG}}}g", {"id": "figure_1"})
    bottom = set_lines(lines, GAP / 2, width, target)
    bottom = set_lines(lines_of([entries], width), bottom, width, target)
    root[list(root).index(figure)] = target
    root.set("viewBox", f"0 0 {width:.2f} {bottom:.2f}")
    root.set("width", f"{width:.2f}pt")
    root.set("height", f"{bottom:.2f}pt")
    return ElementTree.tostring(root, encoding="unicode")
