import { number } from "../../numbers";
import { Normals } from "../../random";
import { bars, chance, distanceFromLaw } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, normal, normalDensity, percent, sorted } from "../tools";

const NETWORKS = 4000;
const BINS = 40;

export const figure: Figure = {
  name: "width-one", page: "book/residual/width-one",
  title: "One neuron, started at 1: the law of the logarithm of its state",
  alt: "Histogram of the logarithm of the last state of networks with one ReLU neuron, the normal law with mean −t/2 and variance t, and the same law without the mean.",
  controls: [
    { key: "depth", label: "depth L", values: [1, 2, 3, 5, 8, 12, 20, 30, 50, 100, 200, 400], initial: 5 },
    { key: "time", label: "depth time t", values: [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4], initial: 1 },
  ],
  keys: [["box", "network", "networks"], ["line", "limit", "limit of infinite depth, N(−t/2, t)"], ["dash", "control", "without Itô's drift, N(0, t)"]],
  *run({ depth, time }) {
    const normals = new Normals(11, 1);
    const found = new Float64Array(NETWORKS);
    const size = Math.sqrt(time / depth);
    const [low, high] = [-time / 2 - 3.6 * Math.sqrt(time), -time / 2 + 3.6 * Math.sqrt(time)];
    const x = grid(low, high, 80);
    const view = (done: number): View => {
      const known = sorted(found, done);
      const dead = known.filter((each) => each === -Infinity).length / done;
      const distance = distanceFromLaw(known, normal(-time / 2, time));
      const without = distanceFromLaw(known, normal(0, time));
      const alone = chance(done);
      const holds = distance <= alone;
      const drawn = bars(known, low, high, BINS);
      const top = 1.25 * normalDensity(0, 0, time);
      return {
        numbers: { distance, without, dead, median: known[Math.floor(done / 2)] },
        headline: holds ? `At depth ${depth} the limit holds: distance ${number(distance)}` : `At depth ${depth} the limit is not reached: distance ${number(distance)}`,
        reasons: `Chance alone stays below ${number(alone)} for ${done} networks. Without the drift −t/2 the distance would be ${number(without)}. ` +
          (dead > 0 ? `${percent(dead, 1)} of the networks stepped across zero and are dead; in the limit none is.` : "None stepped across zero."),
        panels: [{
          x: { label: "log of the last state", range: [low, high] }, y: { label: "density", range: [0, top] },
          marks: [
            { kind: "bars", role: "network", low: drawn.low, width: drawn.width, height: drawn.density },
            { kind: "line", role: "control", x, y: x.map((z) => normalDensity(z, 0, time)), dash: "6 4" },
            { kind: "line", role: "limit", x, y: x.map((z) => normalDensity(z, -time / 2, time)), width: 2.5 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, 100, (i) => {
      let state = 1;
      for (let layer = 0; layer < depth && state > 0; layer++) state += size * state * normals.next();
      found[i] = state > 0 ? Math.log(state) : -Infinity;
    }, view);
  },
};
