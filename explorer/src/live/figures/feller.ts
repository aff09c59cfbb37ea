import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { explodes } from "../laws";
import { gather, grid, percent } from "../tools";

const PATHS = 1500;
const DRAWN = 16;
const TIME = 8;
const STEPS = 512;

export const figure: Figure = {
  name: "feller", page: "book/primer/feller",
  title: "Which boundary does the norm reach, and how often?",
  alt: "Left: paths of the norm on a logarithmic axis until they explode. Right: the probability that the norm ever explodes against b, from the chosen start, with the share of the paths as a dot on the curve.",
  controls: [
    { key: "b", label: "b", values: [-2, -1, -0.5, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4], initial: 1, say: (value) => number(value, 2) },
    { key: "start", label: "start V₀", values: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5], initial: 1, say: (value) => number(value, 2) },
  ],
  keys: [["line", "network", "paths of the equation"], ["dots", "network", "share of the paths, ± 2 standard errors"], ["line", "limit", "Feller's integrals: P(b + 1, b V₀)"]],
  *run({ b, start }) {
    const normals = new Normals(33, 1);
    const times = grid(0, TIME, STEPS);
    const h = TIME / STEPS;
    const grown = Math.exp((b * h) / 2);
    const paths: number[][] = [];
    let exploded = 0;
    const bs = grid(0, 4, 60);
    const view = (done: number): View => {
      const share = exploded / done;
      const exact = explodes(b, start);
      const error = Math.sqrt(Math.max(share * (1 - share), b > 0 ? 1 / done : 0) / done);
      return {
        numbers: { share, error, exact },
        headline: b > 0 ? `From V = ${number(start, 2)} the norm explodes with probability ${percent(exact, 1)}` : `With b = ${number(b, 2)} the norm never explodes`,
        reasons: (b > 0 ? `Of ${done} paths ${percent(share, 1)} do so by time ${TIME}. The others sink towards zero. ` : `Of ${done} paths none does. `) +
          (b < -1 ? "They do not reach zero either: below b = −1 they settle around a value below 1." : "None of them reaches zero: that takes for ever.") + " No simulation is needed to know this: two integrals tell.",
        panels: [
          { title: "paths", x: { label: "time", range: [0, TIME] }, y: { label: "norm V", range: [0.001, 1000], log: true },
            marks: paths.map((y) => ({ kind: "line", role: "network", x: times.slice(0, y.length), y, width: 1.1, opacity: 0.8 })) },
          { title: "probability of explosion", x: { label: "b", range: [-2.1, 4.1] }, y: { label: "probability", range: [-0.03, 1.03] },
            marks: [
              { kind: "line", role: "limit", x: [-2.1, 0, ...bs], y: [0, 0, ...bs.map((each) => explodes(each, start))], width: 2.5 },
              { kind: "dots", role: "network", x: [b], y: [share], error: [error] },
            ] },
        ],
      };
    };
    // 1/V obeys a linear equation: half of its drift, its noise, the other half.
    yield* gather(PATHS, 20, (i) => {
      let inverse = 1 / start;
      const path = [start];
      for (let k = 0; k < STEPS && inverse > 0; k++) {
        inverse = inverse * grown - (grown - 1);
        if (inverse > 0) inverse = inverse * Math.exp(h - Math.sqrt(2 * h) * normals.next()) * grown - (grown - 1);
        if (i < DRAWN) path.push(inverse > 0 ? 1 / inverse : 1e9);
      }
      if (inverse <= 0) exploded++;
      if (i < DRAWN) paths.push(path);
    }, view);
  },
};
