import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { chiSquare, gather, plusMinus, powers, quantiles, steps, told } from "../tools";

const WIDTH = 10;
const NETWORKS = 600;
const MARKS = 32;

export const figure: Figure = {
  name: "gradients", page: "book/residual/gradients",
  title: "The gradient on its way back to the first layer",
  alt: "Squared size of the gradient from the last layer, at the right, back to the first, on a logarithmic axis: mean, median and the band of 90 percent of linear residual networks of width 10. With shrinking branches it ends within a factor of a few at any depth; with branches that do not shrink it grows by a power of two for each layer.",
  controls: [
    { key: "depth", label: "depth L", values: powers(1, 10), initial: 128 },
    { key: "shrink", label: "branches of size", values: [1, 0], names: ["1/√L: they shrink", "1: they do not"], initial: 1 },
  ],
  keys: [["band", "network", "90 % of the networks, and their median"], ["line", "limit", "mean: a factor of 1 + 1/L a layer, or of 2"]],
  *run({ depth, shrink }) {
    const normals = new Normals(17, depth);
    const marks = Math.min(depth, MARKS);
    const rows = new Float64Array(NETWORKS * (marks + 1));
    const ends = new Float64Array(NETWORKS);
    const variance = (shrink ? 1 / depth : 1) / WIDTH;
    const root = Math.sqrt(variance);
    const x = steps(marks).map((k) => depth - Math.round((k * depth) / marks));
    const perLayer = Math.log10(1 + variance * WIDTH);
    const view = (done: number): View => {
      const [low, middle, high] = quantiles(rows, marks + 1, done, [0.05, 0.5, 0.95]);
      const average = x.map((layer) => perLayer * (depth - layer));
      const last = told(ends, done);
      const [most, least] = [Math.max(0.6, ...high, ...average), Math.min(-0.4, ...low)];
      return {
        numbers: { mean: last.value, error: last.error, exact: average[marks] },
        headline: shrink ? "The gradient neither explodes nor vanishes" : `The gradient explodes: a factor of ${number(10 ** average[marks])}`,
        reasons: shrink
          ? `After ${depth} layers the mean square is ${number(10 ** average[marks], 2)} times that of the last one; with more layers it tends to e = 2.72. In the typical network it is ${number(10 ** middle[marks], 2)}, and 90 % of the networks lie between ${number(10 ** low[marks], 2)} and ${number(10 ** high[marks], 2)}. The mean of its logarithm is ${plusMinus({ value: last.value * Math.LN10, error: last.error * Math.LN10 })}.`
          : `Branches of size 1 double the mean square in each of the ${depth} layers. The typical network is behind the mean, at ${number(10 ** middle[marks])}, and explodes as well.`,
        panels: [{
          x: { label: "layer", range: [0, depth] }, y: { label: "squared gradient, power of 10", range: [least * 1.1, most * 1.1] },
          marks: [
            { kind: "band", role: "network", x, low, high, opacity: 0.25 },
            { kind: "line", role: "network", x, y: middle },
            { kind: "line", role: "limit", x, y: average, width: 2.5 },
          ],
        }],
      };
    };
    // One direction through one linear layer: a normal number along it, and all others across.
    yield* gather(NETWORKS, Math.max(1, Math.floor(2048 / depth)), (sample) => {
      let [size, layer] = [0, 0];
      for (let k = 1; k <= marks; k++) {
        for (; layer < Math.round((k * depth) / marks); layer++) {
          size += Math.log10((1 + root * normals.next()) ** 2 + variance * chiSquare(WIDTH - 1, normals));
        }
        rows[sample * (marks + 1) + k] = size;
      }
      ends[sample] = size;
    }, view);
  },
};
