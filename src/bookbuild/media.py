"""The media types under which outputs of cells carry what the publisher reads."""

#: The record of a check of a claim, and the table of numbers of a figure, as the package writes them.
CLAIM = "application/vnd.deeplimits.claim+json"
TABLE = "application/vnd.deeplimits.figure+csv"
#: What a kernel ran with, as it reports at the end of a run.
RUN = "application/vnd.deeplimits.run+json"
#: Pictures, the better one first, and how their files end.
PICTURES = {"image/svg+xml": ".svg", "image/png": ".png"}
