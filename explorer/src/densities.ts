/**
 * Laws of the limit without samples: Fokker-Planck equations dp/dt = -(a p)' + p''/2 by finite volumes
 * with the fluxes of Chang and Cooper, in coordinates in which the noise is Brownian motion.
 */
import type { Constants } from "./activations";
import { angleDefect } from "./diffusions";

type Drift = (z: number) => number;

/** Standard deviations of Brownian motion that a grid reaches. */
const REACH = 6.5;
/** Cells for one standard deviation of Brownian motion at the end. */
const FINENESS = 64;
/** The value of b V at which a norm counts as exploded: it has 1e-6 of a unit of time left. */
const EXPLODED = 1e6;
/** A time step as a share of the time passed. */
const SHARE = 0.05;

/** The law of a coordinate z: probabilities of cells of a uniform grid; what they lack of 1 has exploded. */
export interface Law {
  readonly low: number;
  readonly width: number;
  readonly masses: Float64Array;
}

/** x / (exp(x) - 1). */
function bernoulli(x: number): number {
  if (Math.abs(x) < 1e-8) return 1 - x / 2;
  return x > 700 ? 0 : x < -700 ? -x : x / Math.expm1(x);
}

/** The rates of the Markov chain on the cells: to the left, of leaving, to the right. */
class Generator {
  readonly toLeft: Float64Array;
  readonly toRight: Float64Array;
  private readonly upper: Float64Array;
  private readonly scratch: [Float64Array, Float64Array, Float64Array];

  constructor(drift: Drift, low: number, width: number, cells: number, absorbing: boolean) {
    const arrays = () => new Float64Array(cells);
    [this.toLeft, this.toRight, this.upper] = [arrays(), arrays(), arrays()];
    this.scratch = [arrays(), arrays(), arrays()];
    for (let face = 1; face < cells; face++) {
      const peclet = 2 * drift(low + face * width) * width;
      this.toRight[face - 1] = bernoulli(-peclet) / (2 * width * width);
      this.toLeft[face] = bernoulli(peclet) / (2 * width * width);
    }
    if (absorbing) {
      // The density vanishes at the face, half a cell away from the last centre.
      this.toRight[cells - 1] = bernoulli(-drift(low + cells * width) * width) / (width * width);
    }
  }

  /** A p. */
  private apply(p: Float64Array, out: Float64Array): void {
    const { toLeft, toRight } = this;
    const last = p.length - 1;
    for (let i = 0; i <= last; i++) {
      out[i] =
        (i > 0 ? toRight[i - 1] * p[i - 1] : 0) + (i < last ? toLeft[i + 1] * p[i + 1] : 0) - (toLeft[i] + toRight[i]) * p[i];
    }
  }

  /** Solve (1 - s A) y = f in place, by elimination: the matrix is dominated by its diagonal. */
  private solve(s: number, f: Float64Array): void {
    const { toLeft, toRight, upper } = this;
    const last = f.length - 1;
    for (let i = 0; i <= last; i++) {
      const lower = i > 0 ? -s * toRight[i - 1] : 0;
      const pivot = 1 + s * (toLeft[i] + toRight[i]) - (i > 0 ? lower * upper[i - 1] : 0);
      upper[i] = i < last ? (-s * toLeft[i + 1]) / pivot : 0;
      f[i] = (f[i] - (i > 0 ? lower * f[i - 1] : 0)) / pivot;
    }
    for (let i = last - 1; i >= 0; i--) f[i] -= upper[i] * f[i + 1];
  }

  /** Carry p over a time h: two implicit stages, second order, damping what the step cannot resolve. */
  advance(p: Float64Array, h: number): void {
    const g = 1 - Math.SQRT1_2;
    const [middle, first, second] = this.scratch;
    this.apply(p, first);
    this.solve(g * h, first);
    for (let i = 0; i < p.length; i++) middle[i] = p[i] + (1 - g) * h * first[i];
    this.apply(middle, second);
    this.solve(g * h, second);
    for (let i = 0; i < p.length; i++) p[i] += h * ((1 - g) * first[i] + g * second[i]);
  }
}

/** The path without noise and the variance around it, v' = 1 + 2 a' v. */
function follow(drift: Drift, start: number, time: number, pieces = 64): { end: number; variance: number } {
  let [z, variance] = [start, 0];
  const h = time / pieces;
  for (let i = 0; i < pieces; i++) {
    const slope = (drift(z + 1e-4) - drift(z - 1e-4)) / 2e-4;
    const middle = z + (h / 2) * drift(z);
    // Both by exponential steps: the drift may be steep where the law is still narrow.
    const grown = Math.abs(slope * h) < 1e-6 ? h : Math.expm1(2 * slope * h) / (2 * slope);
    variance = variance * Math.exp(2 * slope * h) + grown;
    z += h * (slope * h < -1 ? (drift(z) * Math.expm1(slope * h)) / (slope * h) : drift(middle));
  }
  return { end: z, variance };
}

/** The normal distribution function to 1e-7 (Abramowitz and Stegun 7.1.26). */
export function normalCdf(x: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(x)) / Math.SQRT2);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const upper = (series * Math.exp((-x * x) / 2)) / 2;
  return x > 0 ? 1 - upper : upper;
}

interface Problem {
  readonly drift: Drift;
  readonly start: number;
  readonly low: number;
  readonly high: number;
  readonly width: number;
  readonly absorbing: boolean;
}

/** The law at each of some increasing times above 0. */
function evolve(problem: Problem, times: number[]): Law[] {
  const { drift, start, absorbing, width } = problem;
  const low = Math.floor(problem.low / width) * width;
  const cells = Math.ceil((problem.high - low) / width);
  const generator = new Generator(drift, low, width, cells, absorbing);
  // Until the grid resolves it the law is nearly normal.
  let time = Math.min(9 * width * width, times[0] / 2);
  const { end: mean, variance } = follow(drift, start, time);
  const p = new Float64Array(cells);
  const spread = Math.sqrt(variance);
  for (let i = 0; i < cells; i++) {
    const edge = low + i * width;
    p[i] = normalCdf((edge + width - mean) / spread) - normalCdf((edge - mean) / spread);
  }
  return times.map((end) => {
    const pieces = Math.ceil(Math.log(end / time) / SHARE);
    const ratio = (end / time) ** (1 / pieces);
    for (let k = 0; k < pieces; k++) {
      generator.advance(p, time * (ratio - 1));
      time *= ratio;
    }
    return { low, width, masses: p.slice() };
  });
}

/** Laws of z = artanh(rho) for two inputs whose correlation is a process of its own: bend = 0. */
export function correlationLaws(constants: Constants, z0: number, times: number[]): Law[] {
  const { gap2 } = constants;
  const drift = (z: number) => {
    if (gap2 === 0) return Math.tanh(z) / 2;
    // Far up the defect of the angle is its cube over 3, and the product with cosh^2 is small.
    if (z > 15) return 0.5 + (gap2 / (3 * Math.PI)) * Math.exp(-z);
    return Math.tanh(z) / 2 + (gap2 / (2 * Math.PI)) * angleDefect(2 * Math.atan(Math.exp(-z))) * Math.cosh(z) ** 2;
  };
  const end = times[times.length - 1];
  const away = REACH * Math.sqrt(end);
  // Upwards paths stay within the noise of a path that is pushed by 1/2 all along, downwards by -1/2.
  const top = follow((z) => drift(z) + (1 - Math.tanh(z)) / 2, z0, end).end + away;
  // Where a bend pushes up faster than any noise moves down nothing is left to follow.
  const floor = gap2 > 0 ? Math.min(z0, -Math.log(8 / gap2) / 2) - 5 : -Infinity;
  const bottom = Math.max(z0 - end / 2 - away, floor);
  return evolve({ drift, start: z0, low: bottom, high: top, width: Math.sqrt(end) / FINENESS, absorbing: false }, times);
}

/** Laws of z = log(V) / sqrt(2) for one input; the mass that has left is the probability of explosion. */
export function normLaws(constants: Constants, norm: number, times: number[]): Law[] {
  const { b } = constants;
  const drift = (z: number) => (b * Math.expm1(Math.SQRT2 * Math.min(z, 200)) - 1) / Math.SQRT2;
  const end = times[times.length - 1];
  const away = REACH * Math.sqrt(end);
  const start = Math.log(norm) / Math.SQRT2;
  const width = Math.min(Math.sqrt(end) / FINENESS, 0.03 / Math.sqrt(1 + Math.abs(b)));
  let [low, high] = [start - (Math.max(b, 0) + 1) * end * Math.SQRT1_2 - away, start + away];
  if (b > 0) high = Math.log(EXPLODED / b) / Math.SQRT2;
  if (b < 0) {
    // The drift decreases in z; far above 1/|b| the scale density exp(b V) lets nothing through.
    low = follow(drift, start, end).end - away;
    high = Math.min(high, Math.max(start, Math.log(-1 / b) / Math.SQRT2) + Math.log(100) / Math.SQRT2);
  }
  return evolve({ drift, start, low, high, width, absorbing: b > 0 }, times);
}

/** The distribution function of z: piecewise linear, below 1 at the end if some of the mass has exploded. */
export function cdf(law: Law): (z: number) => number {
  const sums = new Float64Array(law.masses.length + 1);
  law.masses.forEach((mass, i) => (sums[i + 1] = sums[i] + mass));
  return (z) => {
    const place = (z - law.low) / law.width;
    if (place <= 0) return 0;
    if (place >= law.masses.length) return sums[law.masses.length];
    const cell = Math.floor(place);
    return sums[cell] + (place - cell) * law.masses[cell];
  };
}

/** z below which a share p of all networks lie; +infinity among the exploded. */
export function quantile(law: Law, p: number): number {
  let sum = 0;
  for (let i = 0; i < law.masses.length; i++) {
    const mass = law.masses[i];
    if (sum + mass >= p) return law.low + law.width * (i + (p - sum) / mass);
    sum += mass;
  }
  return Infinity;
}

/** The mean of a function of z over those that have not exploded, as a share of all. */
export function expect(law: Law, f: (z: number) => number): number {
  return law.masses.reduce((sum, mass, i) => sum + mass * f(law.low + (i + 0.5) * law.width), 0);
}
