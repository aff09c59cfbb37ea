import digits from "../../digits.json";
import { number } from "../../numbers";
import type { Figure, View } from "../figure";

const SIDE = 8;
const PIXELS = SIDE * SIDE;
const LAYERS = 64;
/** The pixel with the cross: in the upper row. */
const ROW = 0;
const EDGES = ["zeros", "the picture continued"];

/** The handwritten 3 of the page, with grey values from 0 to 1. */
const picture = Float64Array.from(digits.flatMap(({ labels, pixels }) => pixels.filter((_, i) => labels[i] === 3))[0], (grey) => parseInt(grey, 17) / 16);
const CROSS = ROW * SIDE + picture.subarray(ROW * SIDE, ROW * SIDE + SIDE).indexOf(Math.max(...picture.subarray(ROW * SIDE, ROW * SIDE + SIDE)));

/** For each pair of pixels and tap, the pair that is added: as a list of (from, to). */
function neighbours(kernel: number, periodic: boolean): Int16Array[] {
  const half = (kernel - 1) / 2;
  const shift = (p: number, down: number, right: number) => {
    const [row, column] = [Math.floor(p / SIDE) + down, (p % SIDE) + right];
    if (periodic) return ((row + SIDE) % SIDE) * SIDE + ((column + SIDE) % SIDE);
    return row >= 0 && row < SIDE && column >= 0 && column < SIDE ? row * SIDE + column : -1;
  };
  const found: Int16Array[] = [];
  for (let down = -half; down <= half; down++) {
    for (let right = -half; right <= half; right++) found.push(Int16Array.from({ length: PIXELS }, (_, p) => shift(p, down, right)));
  }
  return found;
}

/** Add to all covariances, for one layer, those of the shifted pixels. */
function layer(covariance: Float64Array<ArrayBuffer>, taps: Int16Array[]): Float64Array<ArrayBuffer> {
  const next = covariance.slice();
  for (const tap of taps) {
    for (let p = 0; p < PIXELS; p++) {
      if (tap[p] < 0) continue;
      for (let q = 0; q < PIXELS; q++) if (tap[q] >= 0) next[p * PIXELS + q] += covariance[tap[p] * PIXELS + tap[q]] / LAYERS;
    }
  }
  return next;
}

export const figure: Figure = {
  name: "images", page: "book/residual/images",
  title: "Which pixels move together in a network that nobody has trained?",
  alt: "A handwritten 3 of eight by eight pixels, and the correlation of the pixel with the cross with all others after a convolutional residual network. With filters of one pixel it is one or minus one or nothing; with filters of three by three it spreads over the neighbourhood, around the edge if the picture is continued there.",
  controls: [
    { key: "edge", label: "beyond the edge stand", values: [0, 1], names: EDGES, initial: 0 },
    { key: "kernel", label: "size of the filters", values: [1, 3, 5], names: ["1 × 1", "3 × 3", "5 × 5"], initial: 3 },
  ],
  keys: [["box", "network", "positive"], ["box", "data", "grey values of the digit"]],
  *run({ kernel, edge }) {
    const taps = neighbours(kernel, edge === 1);
    let covariance = Float64Array.from({ length: PIXELS * PIXELS }, (_, i) => picture[Math.floor(i / PIXELS)] * picture[i % PIXELS]);
    const size = (from: Float64Array) => picture.reduce((sum, _, p) => sum + from[p * PIXELS + p], 0);
    const start = size(covariance);
    const view = (done: number): View => {
      const variance = (p: number) => covariance[p * PIXELS + p];
      const correlation = Float64Array.from({ length: PIXELS }, (_, q) => {
        const product = variance(CROSS) * variance(q);
        return product > 0 ? covariance[CROSS * PIXELS + q] / Math.sqrt(product) : 0;
      });
      const grown = size(covariance) / start;
      const opposite = correlation[(SIDE - 1) * SIDE + (CROSS % SIDE)];
      const far = correlation.filter((each) => each > 0.5).length - 1;
      return {
        numbers: { grown, opposite, above: far },
        headline: `${far} of 63 pixels move with the marked one, and the picture has grown ${number(grown, grown < 10 ? 1 : 0)} times`,
        reasons: `That is the number of correlations above one half, and the growth of the mean square, after ${done} layers of linear blocks. ` +
          (kernel === 1 ? "A filter of one pixel never looks at its neighbours: all strokes keep moving as one." : `A pixel adds up ${kernel * kernel} neighbours, which all grow: ${edge ? `the rate is ${kernel * kernel}` : `up to ${kernel * kernel}, less what is lost beyond the edge`}. The pixel at the opposite edge has correlation ${number(opposite, 2)}${edge ? ": there it is a neighbour." : "."}`),
        panels: [
          { title: "digit", x: { label: "", range: [0, SIDE] }, y: { label: "", range: [0, SIDE] }, marks: [{ kind: "cells", role: "data", columns: SIDE, values: picture, cross: CROSS }] },
          { title: "correlation with the cross", x: { label: "", range: [0, SIDE] }, y: { label: "", range: [0, SIDE] }, marks: [{ kind: "cells", role: "network", columns: SIDE, values: correlation, cross: CROSS }] },
        ],
      };
    };
    for (let done = 1; done <= LAYERS; done++) {
      covariance = layer(covariance, taps);
      yield done % 8 ? null : view(done);
    }
  },
};
