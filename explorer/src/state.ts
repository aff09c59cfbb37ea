/** What the reader can choose, within bounds, and its form in an address. */
import { type Name, fault } from "./activations";
import digits from "./digits.json";

export interface State {
  /**
   * "shaped": fully connected, depth/width is the time; "plain": the same without shaping, as people initialise it;
   * "residual": layer/depth is the time.
   */
  network: "shaped" | "plain" | "residual";
  activation: Name;
  /** What the reader has typed, for the activation "formula". */
  formula: string;
  width: number;
  depth: number;
  /** Constants c+ and c- of a shaped ReLU. */
  plus: number;
  minus: number;
  /** The constant a of smooth shaping. */
  a: number;
  /** Variance of the weights times the width, and of the biases, of networks that are not shaped. */
  gain: number;
  bias: number;
  /** Correlation of the inputs, unless a pair of digits is chosen. */
  rho: number;
  /** 0: the slider; k: the pair of digits number k. */
  digits: number;
  /** Squared norm of each input over its size. */
  norm: number;
  seed: number;
}

export const DEFAULTS: State = {
  network: "shaped", activation: "relu", formula: "x*tanh(x) + x", width: 100, depth: 100, plus: 0, minus: -1, a: 1,
  gain: 1, bias: 0, rho: 0.3, digits: 0,
  norm: 1, seed: 1,
};

export const PAIRS = digits;

/** Settings to begin with: what to try, and how an address says it. */
export const PRESETS: readonly [name: string, text: string][] = [
  ["leaky ReLU", ""],
  ["linear network", "minus=0"],
  ["strong bend", "plus=1&minus=-2"],
  ["ten neurons", "width=10&depth=10"],
  ["tanh settles", "activation=tanh&a=0.7&depth=300&norm=2"],
  ["SiLU explodes", "activation=silu&a=0.7&depth=200&norm=1.4"],
  ["opposite digits", "digits=7&plus=1"],
  ["residual, ten neurons", "network=residual&width=10"],
  ["torch default, ReLU", "network=plain&depth=20&gain=0.3333&bias=0.0033"],
  ["He, ReLU", "network=plain&gain=2"],
  ["Xavier, tanh", "network=plain&activation=tanh"],
  ["GPT-2 branches", "network=residual&activation=gelu&width=768&depth=24&gain=0.3072"],
];

/** Widths and depths that a slider offers: about ten a decade, so that a key press is a visible step. */
export const SIZES = [
  2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600, 768,
  1024, 1536, 2048, 3072, 4096,
];
/** Weight variances times the width: 1/3 and 0.3072 are what torch and GPT-2 (standard deviation 0.02, width 768) take. */
export const GAINS = [0.05, 0.1, 0.2, 0.3072, 0.3333, 0.5, 0.7, 0.85, 1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 3, 4];
/** Bias variances: 1/(3 n) at n = 100 is 0.0033. */
export const BIASES = [0, 0.0001, 0.0003, 0.001, 0.0033, 0.01, 0.03, 0.1, 0.3, 1];
export const NORMS = [0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 5];
export const SHAPES = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 3, 5];
export const CORRELATIONS = [
  -0.99, -0.95, -0.9, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
  0.95, 0.98, 0.99, 0.999,
];
export const CONSTANTS = [-3, -2.5, -2, -1.5, -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3];

export const ACTIVATIONS: Record<State["network"], readonly Name[]> = {
  shaped: ["relu", "tanh", "silu", "gelu", "formula"],
  plain: ["relu", "tanh", "silu", "gelu", "linear", "formula"],
  residual: ["relu", "tanh", "silu", "gelu", "linear", "formula"],
};

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
  if (state.activation === "formula" && fault(state.formula, state.network === "shaped")) state.activation = "relu";
  state.width = nearest(SIZES, state.width);
  state.depth = nearest(SIZES, state.depth);
  state.gain = nearest(GAINS, state.gain);
  state.bias = nearest(BIASES, state.bias);
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
  return changed.filter((key) => key !== "formula" || state.activation === "formula").map((key) => `${key}=${encodeURIComponent(state[key])}`).join("&");
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
