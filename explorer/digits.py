"""Write the pairs of handwritten digits of the first chapter for the explorer: `python explorer/digits.py`."""

import json
from pathlib import Path

from deeplimits import data

WANTED = [0.99, 0.9, 0.7, 0.4, 0.0, -0.4, -0.7]

if __name__ == "__main__":
    pairs = []
    for wanted in WANTED:
        pair = data.pair(wanted)
        pairs.append(
            {
                "labels": pair.labels.tolist(),
                "correlation": round(float(data.gram(pair.inputs)[0, 1]), 6) + 0.0,
                # 8 x 8 grey values from 0 to 16, one character each in base 17.
                "pixels": [
                    "".join("0123456789abcdefg"[int(value)] for value in image.ravel()) for image in pair.pixels
                ],
            }
        )
    target = Path(__file__).parent / "src" / "digits.json"
    target.write_text(json.dumps(pairs, indent=1) + "\n")
