"""Draw what the explorer shows at first, for print and without JavaScript: `python explorer/static_twin.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from deeplimits import densities, evidence, figures
from deeplimits.activations import correlation_of, shaped_relu
from deeplimits.kernels import CovarianceODE
from deeplimits.networks import ShapedMLP

WIDTH = DEPTH = 100
RHO, SAMPLES, DRAWN, SEED = 0.3, 4000, 12, 1
TARGET = Path(__file__).parents[1] / "book/_static/explorer/explorer.svg"


def draw() -> None:
    """Paths above, both laws below."""
    phi, V0 = shaped_relu(0, -1), np.array([[1, RHO], [RHO, 1]])
    layers = np.arange(DEPTH + 1)
    V = ShapedMLP(phi, WIDTH, DEPTH).sample(V0, SAMPLES, SEED, at=layers)
    rho, norm = correlation_of(V)[:, :, 0, 1], V[:, -1, 0, 0]
    wide = CovarianceODE(phi.effective(WIDTH)).at(V0, layers / WIDTH)[:, 0, 1]
    marks = layers[:: DEPTH // 10]
    laws = [densities.correlation(phi.effective(WIDTH), RHO, layer / WIDTH) for layer in marks[1:]]

    figure = plt.figure(figsize=(figures.WIDTH, 5.4))
    grid = figure.add_gridspec(2, 2)
    ax, left, right = (figure.add_subplot(place) for place in (grid[0, :], grid[1, 0], grid[1, 1]))
    figures.paths(ax, layers[::2], rho[:DRAWN, ::2], "network", label="networks")
    band = np.vstack([[RHO] * 3, *(law.quantile([0.05, 0.5, 0.95]) for law in laws)]).T
    ax.fill_between(marks, band[0], band[2], color=figures.colours.limit, alpha=0.2, linewidth=0)
    figures.curve(ax, marks, [RHO, *(law.mean for law in laws)], "limit", label="limit")
    figures.curve(ax, layers, wide, "infinite_width", label="infinite width", linewidth=2.5)
    figures.points(ax, marks[1:], evidence.mean(rho[:, marks[1:]]), "network")
    ax.set(xlabel="layer", ylabel="correlation", ylim=(-1, 1.02))

    z, x = np.linspace(-3, 4.5, 300), np.linspace(-6, 4, 300)
    figures.histogram(left, np.arctanh(rho[:, -1]), bins=36, limits=(-3, 4.5))
    figures.curve(left, z, laws[-1].pdf_artanh(z), "limit")
    left.axvline(np.arctanh(wide[-1]), color=figures.colours.infinite_width, linestyle=":", linewidth=2.5)
    figures.correlation_ticks(left, label="correlation, last layer")
    figures.histogram(right, np.log(norm), bins=36, limits=(-6, 4))
    time = DEPTH / WIDTH
    figures.curve(right, x, np.exp(-((x + time) ** 2) / (4 * time)) / np.sqrt(4 * np.pi * time), "limit")
    right.axvline(0, color=figures.colours.infinite_width, linestyle=":", linewidth=2.5)
    right.set_xticks(np.log([0.01, 0.1, 1, 10]), ["0.01", "0.1", "1", "10"])
    right.set_xlabel("squared norm, last layer")
    left.set_ylabel("density")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    figures.use()
    draw()
