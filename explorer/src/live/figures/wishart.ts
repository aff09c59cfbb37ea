import { number } from "../../numbers";
import { Normals } from "../../random";
import { bars, quantileEstimate } from "../../statistics";
import type { Figure, View } from "../figure";
import { chiSquare, gather, grid, normalDensity, sorted, told, upright } from "../tools";

const NETWORKS = 2000;
const DRAWN = 10;
const MARKS = 60;

export const figure: Figure = {
  name: "wishart", page: "book/primer/wishart",
  title: "A deep linear network: what is left of two inputs at right angles?",
  alt: "Left: the correlation of two inputs along the layers of a few linear networks, which starts at 0 and runs to minus one or one. Right: histogram of the logarithm of the determinant of their covariance in the last layer, with the normal law of the limit. Both move away from 0, where infinite width keeps them, as depth over width grows.",
  controls: [
    { key: "width", label: "width n", values: [4, 10, 30, 100, 300, 1000], initial: 100 },
    { key: "ratio", label: "depth over width, d/n", values: [0.1, 0.2, 0.5, 1, 2, 4], initial: 1 },
  ],
  keys: [["line", "network", "linear networks"], ["line", "limit", "limit: N(−3 d/n, 4 d/n)"], ["dash", "wide", "infinite width: nothing happens"]],
  *run({ width, ratio }) {
    const depth = Math.max(1, Math.round(width * ratio));
    const time = depth / width;
    const normals = new Normals(55, width);
    const logs = new Float64Array(NETWORKS);
    const marks = Math.min(MARKS, depth);
    const layers = grid(0, depth, marks).map(Math.round);
    const paths: number[][] = [];
    const half = 4.5 * Math.sqrt(4 * time);
    const [low, high] = [-3 * time - half, Math.max(half - 3 * time, 0.1)];
    const x = grid(low, high, 100);
    const top = 1.35 * normalDensity(0, 0, 4 * time);
    const exact = (1 - 1 / width) ** depth;
    const view = (done: number): View => {
      const known = sorted(logs, done);
      const middle = Math.exp(quantileEstimate(known, 0.5).value);
      const mean = told(logs, done);
      const drawn = bars(known, low, high, 36);
      return {
        numbers: { log: mean.value, error: mean.error, spread: mean.error * Math.sqrt(done - 1), middle, mean: exact },
        headline: `det V is ${number(exact, 2)} in the mean, and below ${number(middle, 2)} in half of the networks`,
        reasons: `V is the covariance of two inputs after ${depth} layers of width ${width}, in ${done} networks; its own mean never moves, and det V was 1. Three random numbers draw a layer, whatever the width: the ${number(width * width * depth, 0)} weights of a network were never drawn.`,
        panels: [
          { title: "along the layers", x: { label: "layer", range: [0, depth] }, y: { label: "correlation", range: [-1.03, 1.03] },
            marks: [...paths.map((y) => ({ kind: "line" as const, role: "network" as const, x: layers, y, width: 1.2, opacity: 0.8 })), { kind: "line", role: "wide", x: [0, depth], y: [0, 0], dash: "3 4", width: 3 }] },
          { title: "in the last layer", x: { label: "log det V", range: [low, high] }, y: { label: "density", range: [0, top] },
            marks: [
              { kind: "bars", role: "network", low: drawn.low, width: drawn.width, height: drawn.density },
              { kind: "line", role: "limit", x, y: x.map((each) => normalDensity(each, -3 * time, 4 * time)), width: 2.5 },
              upright("wide", 0, 0, top, "3 4"),
            ] },
        ],
      };
    };
    // V = F F^T, and each layer multiplies F by Bartlett's triangle: rows (a, 0) and (c, b), over the root of the width.
    yield* gather(NETWORKS, Math.max(1, Math.floor(1e4 / depth)), (i) => {
      let [f, g, h, k] = [1, 0, 0, 1];
      let log = 0;
      const path = [0];
      for (let layer = 1; layer <= depth; layer++) {
        const squares = [chiSquare(width, normals) / width, chiSquare(width - 1, normals) / width];
        log += Math.log(squares[0] * squares[1]);
        if (i >= DRAWN) continue;
        const [a, b] = squares.map(Math.sqrt);
        const c = normals.next() / Math.sqrt(width);
        [f, g, h, k] = [f * a + g * c, g * b, h * a + k * c, k * b];
        // The rows keep their directions only: correlations do not know their lengths.
        const [first, second] = [Math.hypot(f, g), Math.hypot(h, k)];
        [f, g, h, k] = [f / first, g / first, h / second, k / second];
        if (layer === layers[path.length]) path.push(f * h + g * k);
      }
      if (i < DRAWN) paths.push(path);
      logs[i] = log;
    }, view);
  },
};
