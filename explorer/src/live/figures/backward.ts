import { number } from "../../numbers";
import { Normals } from "../../random";
import { bars } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, normalDensity, percent, plusMinus, sorted, told, upright } from "../tools";

const NETWORKS = 1500;
const BINS = 40;
const KINDS = ["shaped ReLU, slopes 1 ± 1/√n", "plain ReLU"];

export const figure: Figure = {
  name: "backward", page: "book/shaped/backward",
  title: "How large is a gradient after d layers?",
  alt: "Histogram of the logarithm of the squared gain of one direction over networks, the normal law of the limit, and a dashed line at zero, where the logarithm of the mean gain stands. The typical gain is far below the mean.",
  controls: [
    { key: "kind", label: "activation", values: [0, 1], names: KINDS, initial: 0 },
    { key: "ratio", label: "depth over width, d/n", values: [0.1, 0.25, 0.5, 1, 1.5, 2], initial: 1 },
  ],
  keys: [["box", "network", "networks of width 50"], ["line", "limit", "limit of width and depth"], ["dash", "wide", "infinite width, and the mean over networks: 1"]],
  *run({ kind, ratio }) {
    const width = 50;
    const depth = Math.round(width * ratio);
    const time = depth / width;
    const c = kind === 0 ? 1 / Math.sqrt(width) : 1;
    const [plus, minus] = kind === 0 ? [1 + c, 1 - c] : [1, 0];
    const normaliser = 2 / (plus * plus + minus * minus);
    // The variance that one layer gives to the gain, times the width.
    const v = kind === 0 ? 2 : 5;
    const normals = new Normals(6, kind);
    const gains = new Float64Array(NETWORKS);
    const [low, high] = [-(v * time) / 2 - 4 * Math.sqrt(v * time), -(v * time) / 2 + 4.2 * Math.sqrt(v * time)];
    const x = grid(low, high, 80);
    const view = (done: number): View => {
      const known = sorted(gains, done);
      const middle = told(gains, done);
      const typical = Math.exp(known[Math.floor(done / 2)]);
      const drawn = bars(known, low, high, BINS);
      const top = 1.35 * normalDensity(0, 0, v * time);
      const above = known.filter((each) => each > 0).length / done;
      return {
        numbers: { mean: middle.value, error: middle.error, typical, limit: (-v * time) / 2 },
        headline: `The mean gain is 1, and the typical one ${number(typical)}`,
        reasons: `After ${depth} layers of ${width} neurons the logarithm of the squared gain of one direction is ${plusMinus(middle)} in the mean; the limit says ${number((-v * time) / 2, 2)}, with variance ${number(v * time, 2)}. Only ${percent(above)} of the networks have a gain above 1, and they make up for all others. Infinite width knows the mean alone.`,
        panels: [{
          x: { label: "log of the squared gain", range: [low, high] }, y: { label: "density", range: [0, top] },
          marks: [
            { kind: "bars", role: "network", low: drawn.low, width: drawn.width, height: drawn.density },
            { kind: "line", role: "limit", x, y: x.map((z) => normalDensity(z, (-v * time) / 2, v * time)), width: 2.5 },
            upright("wide", 0, 0, top, "3 4"),
          ],
        }],
      };
    };
    // The state decides which slopes a layer has; a direction at right angles to it has fresh numbers, and the part
    // along it the same ones.
    yield* gather(NETWORKS, Math.max(1, Math.floor(1500 / depth)), (i) => {
      let [log, rho] = [0, 0];
      for (let layer = 0; layer < depth; layer++) {
        const across = Math.sqrt(Math.max(1 - rho * rho, 0));
        let [state, moved, both] = [0, 0, 0];
        for (let k = 0; k < width; k++) {
          const g = normals.next();
          const slope = g > 0 ? plus : minus;
          const own = slope * g;
          const tangent = slope * (rho * g + across * normals.next());
          state += own * own;
          moved += tangent * tangent;
          both += own * tangent;
        }
        log += Math.log((normaliser * moved) / width);
        rho = both / Math.sqrt(state * moved);
      }
      gains[i] = log;
    }, view);
  },
};
