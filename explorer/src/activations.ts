/** Activations at a width, as the networks apply them, with the constants of their limits. */
import { type Formula, parse, variable } from "./formula";

export type Name = "relu" | "linear" | "tanh" | "silu" | "gelu" | "formula";

/** The formulas behind the names; a rectifier has slopes instead. */
const TEXTS: Record<Exclude<Name, "formula">, string> = {
  relu: "relu(x)", linear: "x", tanh: "tanh(x)", silu: "silu(x)", gelu: "gelu(x)",
};

/** The formula of an activation: its own, or that which the reader has typed. */
export const textOf = (name: Name, typed: string) => (name === "formula" ? typed : TEXTS[name]);

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

const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The table reaches from -REACH to REACH; beyond, the activations are straight lines. */
const REACH = 12;
const CELLS_PER_UNIT = 16;
const CELLS = 2 * REACH * CELLS_PER_UNIT;
const tables = new Map<string, Float64Array>();

/** How far from 0, and from the edge of a cell, a formula is looked at for a corner. */
const BESIDE = 1e-7;

/**
 * A formula, moved and scaled to value 0 and slope 1 at 0.
 *
 * Throws a SyntaxError, in words for the reader, where that cannot be: no slope, or a corner.
 */
function normalised(text: string): { formula: Formula; value: number; slope: number; second: number; third: number } {
  const formula = parse(text);
  const [value, slope, second, third] = formula(variable(0));
  const [left, right] = [formula(variable(-BESIDE)), formula(variable(BESIDE))];
  if (![value, slope, second, third].every(Number.isFinite)) throw new SyntaxError("it has no value or no slope at 0");
  if (Math.abs(left[1] - right[1]) > 1e-3) throw new SyntaxError("it has a corner at 0, and such are shaped as ReLU is, by two slopes");
  if (Math.abs(slope) < 1e-6) throw new SyntaxError("its slope at 0 is 0, and shaping divides by it");
  return { formula, value, slope, second: second / slope, third: third / slope };
}

/** Cubics through values and slopes, four coefficients a cell; error below 2e-7 for the named ones. */
function tabulate(text: string, raw: boolean): Float64Array {
  const key = `${raw} ${text}`;
  const known = tables.get(key);
  if (known) return known;
  const { formula, value, slope } = raw ? { formula: parse(text), value: 0, slope: 1 } : normalised(text);
  const table = new Float64Array(4 * CELLS);
  const h = 1 / CELLS_PER_UNIT;
  for (let cell = 0; cell < CELLS; cell++) {
    // A corner between two cells leaves each of them its own slope.
    const left = -REACH + cell * h;
    const [from, to] = [formula(variable(left + BESIDE)), formula(variable(left + h - BESIDE))];
    const [y0, y1, m0, m1] = [(from[0] - value) / slope, (to[0] - value) / slope, (from[1] * h) / slope, (to[1] * h) / slope];
    if (!Number.isFinite(y0 + y1 + m0 + m1) || Math.abs(y0) + Math.abs(y1) > 1e12) throw new SyntaxError(`it has no value that can be used near ${left.toFixed(1)}; numbers from −${REACH} to ${REACH} are asked for`);
    table.set([y0, m0, 3 * (y1 - y0) - 2 * m0 - m1, 2 * (y0 - y1) + m0 + m1], 4 * cell);
  }
  if (tables.size > 40) tables.clear();
  tables.set(key, table);
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
export function shapedSmooth(text: string, a: number, width: number): Smooth {
  const table = tabulate(text, false);
  const scale = a * Math.sqrt(width);
  let power = 0;
  for (let g = -9; g <= 9; g += 0.02) power += 0.02 * density(g) * (scale * lookUp(table, g / scale)) ** 2;
  return { kind: "smooth", scale, normaliser: 1 / power, table };
}

/** An activation that is the same at every width. */
export function plain(text: string): Activation {
  if (text === TEXTS.relu || text === TEXTS.linear) return { kind: "rectifier", plus: 1, minus: text === TEXTS.linear ? 1 : 0, normaliser: 1 };
  return { kind: "smooth", scale: 1, normaliser: 1, table: tabulate(text, true) };
}

/** The value of an activation. */
export function apply(activation: Activation, x: number): number {
  if (activation.kind === "rectifier") return x * (x > 0 ? activation.plus : activation.minus);
  return activation.scale * lookUp(activation.table, x / activation.scale);
}

/** The constants of the limit. For a rectifier with the slopes that the width really has: the error is then 1/width. */
export function constants(text: string, activation: Activation, a: number, width: number): Constants {
  if (activation.kind === "rectifier") {
    const gap2 = width * activation.normaliser * (activation.plus - activation.minus) ** 2;
    return { gap2, b: 0, bend: 0 };
  }
  const { second, third } = normalised(text);
  return { gap2: 0, b: (0.75 * second * second + third) / (a * a), bend: (second * second) / (a * a) };
}

/** What is wrong with a formula that the reader has typed, for a network of a kind; nothing if it can be used. */
export function fault(text: string, shaped: boolean): string {
  try {
    tabulate(text, !shaped);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
