import { number } from "../../numbers";
import { Normals } from "../../random";
import { quantileOf } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, sorted, upright } from "../tools";

const NETWORKS = 60;
const DRAWN = 12;
/** Steps in a unit of time. */
const FINENESS = 256;
const LAST = 3;
/** A squared norm above this counts as exploded. */
const EXPLODED = 1e6;

/** When the averages of swish networks explode, all neurons begun at z: the pole of u' = (C + u^2) / 2 from u0. */
function explosionTime(z: number): number {
  const [C, u] = [(3 - 4 * z) / 16, z / 2 + 0.25];
  const root = Math.sqrt(Math.abs(C));
  if (Math.abs(C) < 1e-12) return u > 0 ? 2 / u : Infinity;
  if (C > 0) return (2 / root) * Math.atan2(root, u);
  return u > root ? Math.log((u + root) / (u - root)) / root : Infinity;
}

/** The squared norm over the width in the limit, by the Runge-Kutta scheme for m and q. */
function limit(z: number, times: readonly number[]): number[] {
  const rates = (m: number, q: number) => [(1 + q) / 4, (m / 2 + 0.25) * (1 + q)];
  let [m, q] = [z, z * z];
  const found = [q];
  for (let k = 1; k < times.length; k++) {
    for (let i = 0; i < 16; i++) {
      const h = (times[k] - times[k - 1]) / 16;
      const [a, b] = rates(m, q);
      const [c, d] = rates(m + (h / 2) * a, q + (h / 2) * b);
      const [e, f] = rates(m + (h / 2) * c, q + (h / 2) * d);
      const [g, j] = rates(m + h * e, q + h * f);
      [m, q] = [m + (h / 6) * (a + 2 * c + 2 * e + g), q + (h / 6) * (b + 2 * d + 2 * f + j)];
    }
    found.push(q < EXPLODED ? q : NaN);
  }
  return found;
}

export const figure: Figure = {
  name: "doubly-infinite", page: "book/residual/doubly-infinite",
  title: "Swish at the end of each branch: when does the norm explode?",
  alt: "Squared norm over the width along the depth time, on a logarithmic axis: paths of infinitely deep networks of the chosen width, the curve of infinite width, and a vertical line at its explosion. Narrow networks explode at times that scatter around it.",
  controls: [
    { key: "start", label: "start z of all neurons", values: [-1, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4], initial: 2 },
    { key: "width", label: "width n", values: [8, 16, 32, 64, 128, 256], initial: 32 },
  ],
  keys: [["line", "network", "infinite depth at this width"], ["line", "limit", "infinite width, and its explosion"]],
  *run({ start, width }) {
    const normals = new Normals(21, width);
    const x = new Float64Array(width);
    const ends = new Float64Array(NETWORKS);
    const when = explosionTime(start);
    const last = Math.min(LAST, 1.6 * when);
    const count = Math.round(last * FINENESS);
    const times = grid(0, last, count);
    const wide = limit(start, times);
    const paths: number[][] = [];
    const view = (done: number): View => {
      const known = sorted(ends, done);
      const gone = known.filter((each) => each < Infinity).length;
      const middle = quantileOf(known, 0.5);
      const [early, late] = [quantileOf(known, 0.1), quantileOf(known, 0.9)];
      const say = (time: number) => (time < Infinity ? number(time, 2) : `after ${number(last, 2)}`);
      return {
        numbers: { limit: when, middle, share: gone / done },
        headline: `With infinite width the averages explode at T = ${number(when)}`,
        reasons: `Of ${done} networks of width ${width} and infinite depth ${gone} explode before T = ${number(last, 2)}; half do by ${say(middle)}, eight in ten between ${say(early)} and ${say(late)}. ` +
          (when > 1 ? "At T = 1, where experiments are made, this is still ahead." : "At T = 1 it has happened already."),
        panels: [{
          x: { label: "depth time T", range: [0, last] }, y: { label: "squared norm / n", range: [Math.min(0.3, start * start || 0.3) / 2, 1e5], log: true },
          marks: [
            ...paths.map((y) => ({ kind: "line" as const, role: "network" as const, x: times, y, width: 1.1, opacity: 0.8 })),
            { kind: "line", role: "limit", x: times, y: wide, width: 2.5 },
            ...(when < last ? [upright("limit", when, 0.01, 1e6, "4 4")] : []),
          ],
        }],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(256 / width)), (sample) => {
      const path: number[] = [];
      x.fill(start);
      ends[sample] = Infinity;
      for (let k = 0; k <= count; k++) {
        let q = 0;
        for (const each of x) q += (each * each) / width;
        if (sample < DRAWN) path.push(q < EXPLODED ? q : NaN);
        if (q > EXPLODED) {
          ends[sample] = times[k];
          break;
        }
        const [drift, size] = [(1 + q) / (4 * FINENESS), Math.sqrt((1 + q) / FINENESS) / 2];
        for (let i = 0; i < width; i++) x[i] += drift + size * normals.next();
      }
      if (sample < DRAWN) paths.push(path);
    }, view);
  },
};
