/** Activations at a width, as the networks apply them, with the constants of their limits. */

export type Name = "relu" | "linear" | "tanh" | "silu" | "gelu";

/** Two slopes, one for each side of zero. */
export interface Rectifier {
  readonly kind: "rectifier";
  readonly plus: number;
  readonly minus: number;
  readonly normaliser: number;
}

/** x -> scale * f(x / scale) with f(0) = 0 and f'(0) = 1, looked up in a table of cubics. */
export interface Smooth {
  readonly kind: "smooth";
  readonly scale: number;
  readonly normaliser: number;
  readonly table: Float64Array;
}

export type Activation = Rectifier | Smooth;

/** What of an activation and its shaping survives in the limit. */
export interface Constants {
  /** (c_plus - c_minus)^2: how strongly a rectifier bends angles. */
  readonly gap2: number;
  /** The drift b of a squared norm, dV = b V (V - 1) dt + sqrt(2) V dB. */
  readonly b: number;
  /** phi''(0)^2 / a^2, by which smooth shaping couples correlations to norms. */
  readonly bend: number;
}

interface Formula {
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
  readonly second: number;
  readonly third: number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The normal distribution function, by Simpson's rule: called a few hundred times, once. */
function distribution(x: number): number {
  const pieces = 2 * Math.ceil(1 + 20 * Math.abs(x));
  const h = x / pieces;
  let sum = density(0) + density(x);
  for (let i = 1; i < pieces; i++) sum += (i % 2 ? 4 : 2) * density(i * h);
  return 0.5 + (sum * h) / 3;
}

/** Normalised to slope 1 at 0; SiLU and GELU are doubled. Second and third derivatives at 0. */
const FORMULAS: Record<"tanh" | "silu" | "gelu", Formula> = {
  tanh: { value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2, second: 0, third: -2 },
  silu: {
    value: (x) => 2 * x * sigmoid(x),
    slope: (x) => 2 * sigmoid(x) * (1 + x * sigmoid(-x)),
    second: 1,
    third: 0,
  },
  gelu: {
    value: (x) => 2 * x * distribution(x),
    slope: (x) => 2 * (distribution(x) + x * density(x)),
    second: 4 / Math.sqrt(2 * Math.PI),
    third: 0,
  },
};

/** The table reaches from -REACH to REACH; beyond, the activations are straight lines. */
const REACH = 12;
const CELLS_PER_UNIT = 16;
const CELLS = 2 * REACH * CELLS_PER_UNIT;
const tables = new Map<string, Float64Array>();

/** Cubics through values and slopes, four coefficients a cell; error below 2e-7. */
function tabulate(name: keyof typeof FORMULAS): Float64Array {
  const known = tables.get(name);
  if (known) return known;
  const { value, slope } = FORMULAS[name];
  const table = new Float64Array(4 * CELLS);
  const h = 1 / CELLS_PER_UNIT;
  for (let cell = 0; cell < CELLS; cell++) {
    const left = -REACH + cell * h;
    const [y0, y1, m0, m1] = [value(left), value(left + h), slope(left) * h, slope(left + h) * h];
    table.set([y0, m0, 3 * (y1 - y0) - 2 * m0 - m1, 2 * (y0 - y1) + m0 + m1], 4 * cell);
  }
  tables.set(name, table);
  return table;
}

/** f(x) from a table. */
export function lookUp(table: Float64Array, x: number): number {
  const place = (x + REACH) * CELLS_PER_UNIT;
  const cell = place <= 0 ? 0 : place >= CELLS ? CELLS - 1 : place | 0;
  const t = place - cell;
  const k = 4 * cell;
  const y = table[k];
  if (t < 0) return y + t * table[k + 1];
  if (t > 1) {
    const end = y + table[k + 1] + table[k + 2] + table[k + 3];
    return end + (t - 1) * (table[k + 1] + 2 * table[k + 2] + 3 * table[k + 3]);
  }
  return y + t * (table[k + 1] + t * (table[k + 2] + t * table[k + 3]));
}

/** Slopes 1 + c / sqrt(width), and c with c E[phi(g)^2] = 1. */
export function shapedRectifier(plus: number, minus: number, width: number): Rectifier {
  const right = 1 + plus / Math.sqrt(width);
  const left = 1 + minus / Math.sqrt(width);
  return { kind: "rectifier", plus: right, minus: left, normaliser: 2 / (right * right + left * left) };
}

/** s f(x / s) with s = a sqrt(width), and c with c E[phi(g)^2] = 1 by the trapezoidal rule. */
export function shapedSmooth(name: "tanh" | "silu" | "gelu", a: number, width: number): Smooth {
  const table = tabulate(name);
  const scale = a * Math.sqrt(width);
  let power = 0;
  for (let g = -9; g <= 9; g += 0.02) power += 0.02 * density(g) * (scale * lookUp(table, g / scale)) ** 2;
  return { kind: "smooth", scale, normaliser: 1 / power, table };
}

/** An activation that is the same at every width, for residual branches. */
export function plain(name: "relu" | "linear" | "tanh"): Activation {
  if (name === "tanh") return { kind: "smooth", scale: 1, normaliser: 1, table: tabulate("tanh") };
  return { kind: "rectifier", plus: 1, minus: name === "linear" ? 1 : 0, normaliser: 1 };
}

/** The constants of the limit. For a rectifier with the slopes that the width really has: the error is then 1/width. */
export function constants(name: Name, activation: Activation, a: number, width: number): Constants {
  if (activation.kind === "rectifier") {
    const gap2 = width * activation.normaliser * (activation.plus - activation.minus) ** 2;
    return { gap2, b: 0, bend: 0 };
  }
  const { second, third } = FORMULAS[name as keyof typeof FORMULAS];
  return { gap2: 0, b: (0.75 * second * second + third) / (a * a), bend: (second * second) / (a * a) };
}
