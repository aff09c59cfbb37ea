/** What the reader can choose, within bounds, and its form in an address. */
import type { Name } from "./activations";
import digits from "./digits.json";

export interface State {
  /** "shaped": fully connected, depth/width is the time; "residual": layer/depth is the time. */
  network: "shaped" | "residual";
  activation: Name;
  width: number;
  depth: number;
  /** Constants c+ and c- of a shaped ReLU. */
  plus: number;
  minus: number;
  /** The constant a of smooth shaping. */
  a: number;
  /** Correlation of the inputs, unless a pair of digits is chosen. */
  rho: number;
  /** 0: the slider; k: the pair of digits number k. */
  digits: number;
  /** Squared norm of each input over its size. */
  norm: number;
  seed: number;
}

export const DEFAULTS: State = {
  network: "shaped", activation: "relu", width: 100, depth: 100, plus: 0, minus: -1, a: 1, rho: 0.3, digits: 0,
  norm: 1, seed: 1,
};

export const PAIRS = digits;

/** Settings to begin with: what to try, and how an address says it. */
export const PRESETS: readonly [name: string, text: string][] = [
  ["leaky ReLU", ""],
  ["linear network", "minus=0"],
  ["strong bend", "plus=1&minus=-2"],
  ["ten neurons", "width=10&depth=10"],
  ["tanh settles", "activation=tanh&depth=300"],
  ["SiLU explodes", "activation=silu&depth=150&norm=1.4"],
  ["opposite digits", "digits=7&plus=1"],
  ["residual, ten neurons", "network=residual&width=10"],
];

/** Widths and depths that a slider offers: about ten a decade, so that a key press is a visible step. */
export const SIZES = [
  2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800,
];
export const NORMS = [0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 5];
export const SHAPES = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 3, 5];
export const CORRELATIONS = [
  -0.99, -0.95, -0.9, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
  0.95, 0.98, 0.99, 0.999,
];
export const CONSTANTS = [-3, -2.5, -2, -1.5, -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3];

export const ACTIVATIONS: Record<State["network"], readonly Name[]> = {
  shaped: ["relu", "tanh", "silu", "gelu"],
  residual: ["relu", "tanh", "linear"],
};

/** Beyond these the simulation would be slow, or nothing but parallel inputs would be left to see. */
const MOST_WIDTH = { shaped: 400, residual: 100 };
const MOST_DEPTH_OVER_WIDTH = 6;

/** Sizes of the slider that a state allows. */
export function sizes(state: State, key: "width" | "depth"): number[] {
  const deepest = state.network === "shaped" ? MOST_DEPTH_OVER_WIDTH * state.width : 500;
  const most = key === "width" ? MOST_WIDTH[state.network] : deepest;
  return SIZES.filter((size) => size <= most);
}

export function nearest(values: readonly number[], wanted: number): number {
  return values.reduce((best, value) => (Math.abs(value - wanted) < Math.abs(best - wanted) ? value : best));
}

/** The correlation of the inputs. */
export function correlation(state: State): number {
  return state.digits > 0 ? PAIRS[state.digits - 1].correlation : state.rho;
}

/** The nearest state that can be simulated; numbers go to the nearest value that a slider offers. */
export function settle(wanted: State): State {
  const state = { ...wanted };
  if (!Object.hasOwn(ACTIVATIONS, state.network)) state.network = DEFAULTS.network;
  if (!ACTIVATIONS[state.network].includes(state.activation)) state.activation = "relu";
  state.width = nearest(sizes(state, "width"), state.width);
  state.depth = nearest(sizes(state, "depth"), state.depth);
  state.plus = nearest(CONSTANTS, state.plus);
  state.minus = nearest(CONSTANTS, state.minus);
  state.a = nearest(SHAPES, state.a);
  state.rho = nearest(CORRELATIONS, state.rho);
  state.norm = nearest(NORMS, state.norm);
  state.digits = Math.round(Math.min(Math.max(state.digits, 0), PAIRS.length));
  state.seed = Math.round(Math.min(Math.max(state.seed, 1), 999999));
  return state;
}

/** What differs from the defaults, as in `width=50&depth=200`. */
export function toText(state: State, defaults: State = DEFAULTS): string {
  const changed = (Object.keys(DEFAULTS) as (keyof State)[]).filter((key) => state[key] !== defaults[key]);
  return changed.map((key) => `${key}=${state[key]}`).join("&");
}

/** Whether a text says something of a state, rather than naming a heading of the page. */
export function isState(text: string): boolean {
  return [...new URLSearchParams(text)].some(([key, value]) => Object.hasOwn(DEFAULTS, key) && value !== "");
}

/** The state of a text; what cannot be read is as in the defaults. */
export function fromText(text: string, defaults: State = DEFAULTS): State {
  const given = new URLSearchParams(text);
  const state: Record<string, string | number> = { ...defaults };
  for (const [key, value] of given) {
    if (!Object.hasOwn(DEFAULTS, key)) continue;
    if (typeof state[key] === "string") state[key] = value;
    else if (value.trim() !== "" && Number.isFinite(Number(value))) state[key] = Number(value);
  }
  return settle(state as unknown as State);
}
