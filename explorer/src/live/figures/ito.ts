import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { chiSquare, gather, grid, percent, plusMinus, quantiles, told } from "../tools";

const NETWORKS = 800;
const MARKS = 40;
const DRAWN = 10;

export const figure: Figure = {
  name: "ito", page: "book/primer/ito",
  title: "Every layer keeps the norm on average: what does the typical network do?",
  alt: "Squared norm in linear networks along the layers, on a logarithmic axis: a few networks, the band of 90 percent and the median, which falls, and the mean, which stays at 1.",
  controls: [
    { key: "width", label: "width n", values: [5, 10, 20, 50, 100, 200, 500], initial: 100 },
    { key: "depth", label: "depth d", values: [10, 20, 50, 100, 200, 300, 500], initial: 300 },
  ],
  keys: [["line", "network", "networks"], ["band", "network", "90 % of the networks, and the median"], ["dash", "limit", "Itô: exp(−layer/n)"], ["dash", "wide", "mean: 1, conserved"]],
  *run({ width, depth }) {
    const normals = new Normals(1, width);
    const marks = Math.min(MARKS, depth);
    const rows = new Float64Array(NETWORKS * (marks + 1));
    const ends = new Float64Array(NETWORKS);
    const layers = grid(0, depth, marks);
    const view = (done: number): View => {
      const [low, middle, high] = quantiles(rows, marks + 1, done, [0.05, 0.5, 0.95]).map((each) => each.map(Math.exp));
      const last = told(ends, done);
      const above = ends.subarray(0, done).filter((each) => each > 0).length / done;
      return {
        numbers: { mean: last.value, error: last.error, median: middle[marks], above },
        headline: `The mean stays 1; the typical network has ${number(middle[marks])}`,
        reasons: `After ${depth} layers of width ${width} the mean of the logarithm of the squared norm is ${plusMinus(last)}. Each factor has mean 1, but its logarithm has mean −1/n, by Itô's formula: −d/n = ${number(-depth / width, 2)} in all. ${percent(above)} of the networks are above the mean, and carry it.`,
        panels: [{
          x: { label: "layer", range: [0, depth] }, y: { label: "squared norm", range: [Math.max(Math.min(0.3, ...low) / 2, 1e-12), Math.max(3, ...high) * 2], log: true },
          marks: [
            { kind: "band", role: "network", x: layers, low, high, opacity: 0.2 },
            ...Array.from({ length: Math.min(DRAWN, done) }, (_, i) => ({ kind: "line" as const, role: "network" as const, x: layers, y: rows.subarray(i * (marks + 1), (i + 1) * (marks + 1)).map(Math.exp), width: 1, opacity: 0.7 })),
            { kind: "line", role: "network", x: layers, y: middle, width: 2.5 },
            { kind: "line", role: "limit", x: layers, y: layers.map((layer) => Math.exp(-layer / width)), dash: "6 4", width: 2.5 },
            { kind: "line", role: "wide", x: [0, depth], y: [1, 1], dash: "3 4", width: 3 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(5000 / depth)), (i) => {
      let [log, layer] = [0, 0];
      for (let k = 1; k <= marks; k++) {
        for (; layer < Math.round((k * depth) / marks); layer++) log += Math.log(chiSquare(width, normals) / width);
        rows[i * (marks + 1) + k] = log;
      }
      ends[i] = log;
    }, view);
  },
};
