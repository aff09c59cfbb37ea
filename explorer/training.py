"""Write the long training runs of the page on training for its live figure: `python explorer/training.py`.

They are read from the executed notebook, so that the figure shows the runs of the page: run `make book` first.
"""

import csv
import json
from pathlib import Path

from bookbuild import dress, notebooks

FIGURE = "fig-training-escape"
TARGET = Path(__file__).parent / "src" / "live" / "training.json"


def table(profile: str = "quick") -> list[dict[str, str]]:
    """The rows of the figure's table in the executed notebook."""
    notebook = notebooks.read(notebooks.executed_copy(Path("book/residual/training.ipynb"), profile))
    found = dict(filter(None, map(dress.table_of, notebook.cells)))[FIGURE]
    return list(csv.DictReader(line for line in found.splitlines() if not line.startswith("#")))


def record(rows: list[dict[str, str]]) -> dict[str, object]:
    """Steps, and the losses of every network by optimiser: a line begins where its steps begin again."""
    runs: list[list[tuple[int, float]]] = []
    labels: list[str] = []
    for row in (row for row in rows if row["panel"] == "1" and row["x"]):
        step = int(float(row["x"]))
        if not runs or step <= runs[-1][-1][0]:
            runs.append([])
            labels.append(row["series"])
        runs[-1].append((step, float(f"{float(row['y']):.3g}")))
    floor = next(float(row["y"]) for row in rows if row["series"] == "best affine")
    half = len(runs) // 2
    if labels[0] != "SGD" or labels[half] != "Adam":
        raise ValueError(f"the lines of {FIGURE} are not those of SGD and Adam: {labels}")
    losses = {"sgd": runs[:half], "adam": runs[half:]}
    return {
        "floor": round(floor, 5),
        "steps": [step for step, _ in runs[0]],
        **{name: [[loss for _, loss in run] for run in each] for name, each in losses.items()},
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(record(table())).replace("], ", "],\n") + "\n")
