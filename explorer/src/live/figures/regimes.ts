import { number } from "../../numbers";
import { Normals } from "../../random";
import { mean } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, level, plusMinus, positive, steps } from "../tools";

const NETWORKS = 2000;
/** Layers in a unit of depth time, and marks along it. */
const FINENESS = 32;
const MARKS = 40;

/** The rate at which the mean log norm begins, for networks that start alive. */
const rate = (n: number) => 1 / (4 * (1 - 2 ** -n)) - 1 / n;

export const figure: Figure = {
  name: "regimes", page: "book/residual/regimes",
  title: "Does the typical network grow or shrink?",
  alt: "Mean of the logarithm of the norm along the depth time for networks of the chosen width, with the straight line of the rate at which it begins. Narrow networks fall. From width four on the curve rises, and later turns.",
  controls: [
    { key: "width", label: "width n", values: [1, 2, 3, 4, 5, 6, 8, 12], initial: 5 },
    { key: "time", label: "depth time t", values: [0.5, 1, 2, 5, 10, 20, 30], initial: 30 },
  ],
  keys: [["line", "network", "networks that start alive: mean ± 2 standard errors"], ["dash", "control", "the rate at the start, kept"]],
  *run({ width, time }) {
    const normals = new Normals(width, 3);
    const rows = new Float64Array(NETWORKS * (MARKS + 1));
    const x = new Float64Array(width);
    const layers = Math.round(FINENESS * time);
    const h = time / layers;
    const times = grid(0, time, MARKS);
    const view = (done: number): View => {
      const known = steps(MARKS).map((k) => mean(Float64Array.from({ length: done }, (_, i) => rows[i * (MARKS + 1) + k])));
      const value = known.map((each) => each.value);
      const last = known[MARKS];
      const top = value.indexOf(Math.max(...value));
      const turns = top > 0 && value[top] - last.value > 3 * last.error;
      const range: [number, number] = [Math.min(-0.05, ...value, rate(width) * time) * 1.08, Math.max(0.05, ...value, Math.min(rate(width) * time, 2 * Math.max(...value, 0.05))) * 1.08];
      const typical = Math.exp(last.value);
      return {
        numbers: { mean: last.value, error: last.error, turn: turns ? times[top] : NaN, rate: rate(width) },
        headline: turns ? `${width} neurons grow at first, and turn back near t = ${Math.round(times[top])}` : last.value < -2 * last.error ? `${width === 1 ? "One neuron shrinks" : `${width} neurons shrink`}` : last.value > 2 * last.error ? `${width} neurons grow` : `${width} neurons: too close to call`,
        reasons: `At t = ${time} the mean log norm is ${plusMinus(last)}, so that the typical network has ${typical < 1 ? `shrunk to ${number(typical, 2)}` : `grown to ${number(typical, 2)}`} of its start. It begins with the rate ${number(rate(width))}, and if every neuron stayed as active as it is then, it would be ${number(rate(width) * time, 2)}.`,
        panels: [{
          x: { label: "depth time t", range: [0, time] }, y: { label: "mean log norm", range },
          marks: [
            level("data", 0, 0, time),
            { kind: "line", role: "control", x: [0, time], y: [0, rate(width) * time], dash: "6 4" },
            { kind: "band", role: "network", x: times, low: known.map((each) => each.value - 2 * each.error), high: known.map((each) => each.value + 2 * each.error), opacity: 0.3 },
            { kind: "line", role: "network", x: times, y: value, width: 2.5 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, 4, (sample) => {
      // Networks that are dead at the start are drawn again: the statement is about the others.
      do normals.fill(x); while (positive(x) === 0);
      let [activity, layer] = [0, 0];
      for (let k = 1; k <= MARKS; k++) {
        for (; layer < Math.round((k * layers) / MARKS); layer++) {
          const size = positive(x);
          let active = 0;
          for (let i = 0; i < width; i++) if (x[i] > 0) active++;
          activity += h * (active / 2 - 1) * (size > 0 ? 1 : 0);
          const step = Math.sqrt(h / width);
          // The direction is all that matters: the size stays 1.
          for (let i = 0; i < width && size > 0; i++) x[i] = x[i] / size + step * normals.next();
        }
        rows[sample * (MARKS + 1) + k] = activity / width;
      }
    }, view);
  },
};
