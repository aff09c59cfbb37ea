import { constants, shapedRectifier } from "../../activations";
import { cdf, correlationLaws, quantile } from "../../densities";
import { shapedKernel } from "../../kernels";
import { ShapedNetwork } from "../../networks";
import { number } from "../../numbers";
import { Normals } from "../../random";
import { bars, chance, distanceFromLaw } from "../../statistics";
import type { Figure, View } from "../figure";
import { near } from "../laws";
import { CORRELATION_MARKS, walk } from "../pair";
import { gather, grid, plusMinus, sorted, told, upright } from "../tools";

const NETWORKS = 2000;
const RHO = 0.3;
const BINS = 36;
const DRAWN = 10;
const MARKS = 40;

export const figure: Figure = {
  name: "covariance", page: "book/shaped/covariance",
  title: "Two inputs with correlation 0.3, many networks: how alike are they in the last layer?",
  alt: "Left: the correlation along the layers in a few shaped ReLU networks, which spread, and the single curve of infinite width. Right: histogram of the last correlation over many networks with the density of the limit, on an axis that is stretched near minus one and one.",
  controls: [
    { key: "width", label: "width n", values: [4, 6, 10, 16, 25, 40, 64, 100, 150], initial: 40 },
    { key: "ratio", label: "depth over width, d/n", values: [0.25, 0.5, 1, 1.5, 2, 3], initial: 1 },
  ],
  keys: [["box", "network", "networks"], ["line", "limit", "limit: the random law of this d/n"], ["dash", "wide", "infinite width: one number"]],
  *run({ width, ratio }) {
    const depth = Math.max(1, Math.round(width * ratio));
    const time = depth / width;
    const phi = shapedRectifier(0, -1, width);
    const limiting = constants("relu", phi, 1, width);
    const origin = { z: Math.atanh(RHO), first: 1, second: 1 };
    const network = new ShapedNetwork(phi, width, depth, origin, new Normals(8, width));
    yield null;
    const law = correlationLaws(limiting, origin.z, [time])[0];
    yield null;
    const marks = Math.min(MARKS, depth);
    const wide = shapedKernel(limiting, origin, time, marks).map(({ z }) => Math.tanh(z));
    const layers = grid(0, depth, marks);
    const ends = new Float64Array(NETWORKS);
    const paths: number[][] = [];
    const [low, high] = [quantile(law, 0.002), quantile(law, 0.998)];
    const x = Array.from(law.masses, (_, i) => law.low + (i + 0.5) * law.width);
    const y = Array.from(law.masses, (mass) => mass / law.width);
    const top = 1.35 * Math.max(...y);
    const view = (done: number): View => {
      const known = sorted(ends, done);
      const distance = distanceFromLaw(known, cdf(law));
      const alone = chance(done);
      const middle = told(ends.map(Math.tanh), done);
      const spread = middle.error * Math.sqrt(done - 1);
      const drawn = bars(known, low, high, BINS);
      const last = wide[marks];
      return {
        numbers: { mean: middle.value, error: middle.error, spread, distance, wide: last },
        headline: distance <= alone ? `The limit holds: distance ${number(distance)}; chance alone stays below ${number(alone)}` : `The limit ${distance <= alone + 0.1 ? "nearly holds" : "is not reached"}: distance ${number(distance)}`,
        reasons: `${done} networks of width ${width} and depth ${depth} have correlations ${plusMinus(middle)} in the mean, with a standard deviation of ${number(spread, 2)} between networks. Infinite width says ${near(last)} for every one of them. More width at the same d/n does not narrow this law.`,
        panels: [
          { title: "along the layers", x: { label: "layer", range: [0, depth] }, y: { label: "correlation", range: [-1, 1.02] },
            marks: [...paths.map((each) => ({ kind: "line" as const, role: "network" as const, x: layers, y: each, width: 1.1, opacity: 0.8 })), { kind: "line", role: "wide", x: layers, y: wide, dash: "3 4", width: 3 }] },
          { title: "in the last layer", x: { label: "correlation (axis stretched)", range: [low, high], marks: CORRELATION_MARKS }, y: { label: "density", range: [0, top] },
            marks: [
              { kind: "bars", role: "network", low: drawn.low, width: drawn.width, height: drawn.density },
              { kind: "line", role: "limit", x, y, width: 2.5 },
              upright("wide", Math.atanh(last), 0, top, "3 4"),
            ] },
        ],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(1e5 / (width * depth))), (i) => {
      const path: number[] = [];
      walk(network, marks, () => path.push(Math.tanh(network.z)));
      if (i < DRAWN) paths.push(path);
      ends[i] = network.z;
    }, view);
  },
};
