/** What several figures use: pieces of work, sums over networks, laws in closed form. */
import { normalCdf } from "../densities";
import { number } from "../numbers";
import type { Normals } from "../random";
import { type Estimate, mean, quantileOf } from "../statistics";
import type { Mark, View } from "./figure";

/** Do something many times, a piece at a time, and tell what is known at every doubling of what is done. */
export function* gather(total: number, piece: number, one: (i: number) => void, view: (done: number) => View): Generator<View | null, void> {
  let next = Math.max(piece, 32);
  for (let done = 1; done <= total; done++) {
    one(done - 1);
    if (done === total) break;
    if (done >= next) {
      next *= 2;
      yield view(done);
    } else if (done % piece === 0) yield null;
  }
  yield view(total);
}

/** 0, 1, ..., count. */
export const steps = (count: number) => Array.from({ length: count + 1 }, (_, i) => i);

/** Some values from one to another, evenly. */
export const grid = (low: number, high: number, count: number) => steps(count).map((i) => low + ((high - low) * i) / count);

/** Some values from one to another, by equal factors. */
export const geometric = (low: number, high: number, count: number) => grid(Math.log(low), Math.log(high), count).map(Math.exp);

/** The mean of a function of a standard normal number, by the trapezoidal rule. */
export function gaussian(f: (g: number) => number, step = 0.01): number {
  let sum = 0;
  for (let g = -9; g <= 9 + step / 2; g += step) sum += f(g) * Math.exp((-g * g) / 2);
  return (sum * step) / Math.sqrt(2 * Math.PI);
}

export const normalDensity = (x: number, middle: number, variance: number) =>
  Math.exp(-((x - middle) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);

/** The distribution function of a normal law. */
export const normal = (middle: number, variance: number) => (x: number) => normalCdf((x - middle) / Math.sqrt(variance));

/** A number of the gamma law of some shape and scale 1 (Marsaglia and Tsang 2000); half of a chi-square number of 2 shape degrees. */
export function gamma(shape: number, normals: Normals): number {
  if (shape < 1) return gamma(shape + 1, normals) * normals.uniform() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normals.next();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(normals.uniform()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** A sum of squares of so many standard normal numbers. */
export const chiSquare = (degrees: number, normals: Normals) => (degrees > 0 ? 2 * gamma(degrees / 2, normals) : 0);

/** Mean and standard error of what is known of some numbers. */
export const told = (values: Float64Array, done: number): Estimate => mean(values.subarray(0, done));

/** A sorted copy of what is known of some numbers. */
export const sorted = (values: Float64Array, done: number) => values.slice(0, done).sort();

/** Quantiles along the depth: rows are networks. */
export function quantiles(rows: Float64Array, columns: number, done: number, shares: readonly number[]): number[][] {
  const found: number[][] = shares.map(() => []);
  for (let k = 0; k < columns; k++) {
    const column = Float64Array.from({ length: done }, (_, i) => rows[i * columns + k]).sort();
    shares.forEach((share, i) => found[i].push(quantileOf(column, share)));
  }
  return found;
}

/** A number with its standard error, both with as many digits as the error deserves. */
export function plusMinus({ value, error }: Estimate): string {
  if (!(error > 0)) return number(value, 3);
  const digits = Math.min(Math.max(1 - Math.floor(Math.log10(error)), 0), 6);
  return `${value.toFixed(digits).replace("-", "−")} ± ${error.toFixed(digits)}`;
}

export const percent = (share: number, digits = 0) => `${(100 * share).toFixed(digits).replace("-", "−")} %`;

/** A vertical line across a panel. */
export const upright = (role: Mark["role"], at: number, low: number, high: number, dash?: string): Mark =>
  ({ kind: "line", role, x: [at, at], y: [low, high], dash });

/** A horizontal line across a panel. */
export const level = (role: Mark["role"], at: number, low: number, high: number, dash?: string): Mark =>
  ({ kind: "line", role, x: [low, high], y: [at, at], dash });

/** Powers of two. */
export const powers = (from: number, to: number) => steps(to - from).map((i) => 2 ** (from + i));

/** The norm of the positive part of a vector. */
export function positive(x: Float64Array): number {
  let sum = 0;
  for (const value of x) if (value > 0) sum += value * value;
  return Math.sqrt(sum);
}
