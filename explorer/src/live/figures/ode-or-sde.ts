import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { gather, grid, level, percent, plusMinus, powers, told } from "../tools";

const NETWORKS = 600;
const DRAWN = 8;
const INDICES = [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1];
const POWERS = [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1];

/** Covariance of two increments of fractional Brownian motion over unit times. */
const covariance = (lag: number, H: number) => ((lag + 1) ** (2 * H) - 2 * lag ** (2 * H) + Math.abs(lag - 1) ** (2 * H)) / 2;

/** Itô's correction of the mean logarithm that is left at a depth, for weights of size L^-power. */
const kept = (power: number, depth: number) => -0.5 * depth ** (1 - 2 * power);

/** What becomes of the network at infinite depth, or at this one where that is what there is to say. */
function verdict(hurst: number, power: number, share: number): string {
  const critical = Math.max(hurst, 0.5);
  if (power < critical) return hurst > 0.5 ? "no limit: the noise grows without bound" : "no limit: the correction grows without bound";
  if (power > critical) return "nothing is left in the limit: the output is the input";
  if (hurst < 0.5) return "an ordinary equation, Itô's correction alone";
  if (hurst === 0.5) return "a stochastic equation";
  return share < 0.1 ? "an ordinary equation, with random coefficients" : "neither world yet";
}

/**
 * The increments of fractional Brownian motion as moving sums of fresh noise, row by row of the triangular factor of
 * their covariance (Schur's algorithm: the covariance depends on the lag alone).
 */
function* factor(depth: number, H: number): Generator<null, Float64Array[]> {
  const upper = Float64Array.from({ length: depth }, (_, lag) => covariance(lag, H));
  const lower = upper.slice();
  lower[0] = 0;
  const columns: Float64Array[] = [];
  for (let k = 0; k < depth; k++) {
    columns.push(upper.slice(0, depth - k));
    // Shift the upper row by one, and rotate so that the first entry of the lower one vanishes.
    const size = depth - k - 1;
    if (size < 1) break;
    for (let i = 0; i < size; i++) {
      upper[i] = columns[k][i];
      lower[i] = lower[i + 1];
    }
    // Weights that are all the same, H = 1, leave nothing after the first column.
    const ratio = upper[0] > 1e-6 ? lower[0] / upper[0] : 0;
    const root = Math.sqrt(Math.max(1 - ratio * ratio, 1e-14));
    for (let i = 0; i < size; i++) {
      const [u, l] = [upper[i], lower[i]];
      upper[i] = (u - ratio * l) / root;
      lower[i] = (l - ratio * u) / root;
    }
    if (k % 64 === 0) yield null;
  }
  return columns;
}

export const figure: Figure = {
  name: "ode-or-sde", page: "book/residual/ode-or-sde",
  title: "One neuron whose weights resemble each other from layer to layer",
  alt: "Left: logarithm of the state of one neuron along the layers, in a few networks. Right: its mean in the last layer against the power of the depth in a weight, as a smooth curve between the value 0 of ordinary calculus and ever lower values below one half; the networks lie on the curve.",
  controls: [
    { key: "hurst", label: "Hurst index H of the weights", values: INDICES, initial: 0.55, say: (value) => number(value, 2) },
    { key: "power", label: "power β: a weight is L⁻ᵝ", values: POWERS, initial: 0.55, say: (value) => number(value, 2) },
    { key: "depth", label: "depth L", values: powers(3, 9), initial: 128 },
  ],
  keys: [["dots", "network", "networks"], ["line", "limit", "formula of this depth, −½ L¹⁻²ᵝ"], ["dash", "wide", "ODE: 0"], ["dash", "control", "SDE: −½"]],
  *run({ hurst, power, depth }) {
    const columns = yield* factor(depth, hurst);
    const normals = new Normals(Math.round(100 * hurst), depth);
    const size = depth ** -power;
    const noisy = depth ** (hurst - power);
    const noise = new Float64Array(depth);
    const found = new Float64Array(NETWORKS);
    const paths: number[][] = [];
    const layers = grid(0, 1, depth);
    const powersShown = grid(0.4, 1, 60);
    const view = (done: number): View => {
      const last = told(found, done);
      const share = kept(power, depth) / -0.5;
      const values = paths.flat();
      return {
        numbers: { mean: last.value, error: last.error, predicted: kept(power, depth), noise: noisy },
        headline: `H = ${number(hurst, 2)}, β = ${number(power, 2)}: ${verdict(hurst, power, share)}`,
        reasons: `The mean logarithm of ${done} networks of ${depth} layers is ${plusMinus(last)}. Ordinary calculus says 0, an SDE −0.5, and the formula of this depth ${number(kept(power, depth))}: ` +
          (share > 1.001 ? `${number(share, 1)} times Itô's correction.` : `${percent(share)} of Itô's correction is left.`) +
        ` The noise has the size ${number(noisy, 2)}.` + (power > 0.5 && share > 0.1 ? ` A tenth of the correction would be left at ${number(10 ** (1 / (2 * power - 1)), 0)} layers.` : ""),
        panels: [
          { title: "networks", x: { label: "layer / depth", range: [0, 1] }, y: { label: "log of the state", range: [Math.min(-1, ...values) - 0.2, Math.max(1, ...values) + 0.2] },
            marks: paths.map((y) => ({ kind: "line", role: "network", x: layers, y, width: 1.1, opacity: 0.75 })) },
          { title: "mean in the last layer", x: { label: "power β", range: [0.38, 1.02] }, y: { label: "mean log", range: [-2.5, 0.5] },
            marks: [
              level("wide", 0, 0.5, 1.02, "3 4"), level("control", -0.5, 0.38, 1.02, "6 4"),
              { kind: "line", role: "limit", x: powersShown, y: powersShown.map((each) => kept(each, depth)), width: 2.5 },
              { kind: "dots", role: "network", x: [power], y: [last.value], error: [last.error] },
            ] },
        ],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(1e6 / depth ** 2)), (sample) => {
      const path = [0];
      const weights = new Float64Array(depth);
      normals.fill(noise);
      for (let k = 0; k < depth; k++) {
        const column = columns[k];
        const own = noise[k];
        for (let i = k; i < depth; i++) weights[i] += column[i - k] * own;
      }
      let sum = 0;
      for (let layer = 0; layer < depth; layer++) {
        sum += Math.log(Math.abs(1 + size * weights[layer]));
        if (sample < DRAWN) path.push(sum);
      }
      if (sample < DRAWN) paths.push(path);
      found[sample] = sum;
    }, view);
  },
};
