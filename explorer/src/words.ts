/** The verdict in words. */
import { type Comparison, EXPLODED, type Report } from "./experiment";
import { time } from "./pairs";
import type { State } from "./state";
import { number } from "./numbers";
import type { Estimate } from "./statistics";

/**
 * "agrees": chance explains the difference; "near": chance and a small error of finite size do; "differs": they do
 * not; "empty": too few are left that have not exploded; "alone": there is no limit of depth over width.
 */
export type Verdict = "agrees" | "near" | "differs" | "empty" | "alone";

/** An error of finite size above this is not small. */
const NEAR = 0.1;

export function judge({ limit, enough, distance, chance, finite }: Comparison): Verdict {
  if (!limit) return "alone";
  if (!enough) return "empty";
  if (distance <= chance) return "agrees";
  return distance <= chance + Math.min(finite, NEAR) ? "near" : "differs";
}

/** Decimals that show two digits of something small; at least 3, as far as numbers go. */
const decimals = (small: number) => (small > 0 ? Math.min(Math.max(1 - Math.floor(Math.log10(small)), 3), 12) : 3);

/** A number with its error, which says how many decimals both have: its own or, if it is exact, that of another. */
export function estimate({ value, error }: Estimate, other = 0): string {
  const digits = decimals(error || other);
  const plain = Math.abs(value) < 100 && error < 100 && (value === 0 || Math.abs(value) >= 1e-3);
  const text = (x: number) => (plain && digits > 3 ? x.toFixed(digits).replace("-", "−") : number(x, digits));
  return error > 0 ? `${text(value)} ± ${text(error)}` : text(value);
}

/** A number with at least two digits that are not zeros. */
export const rough = (value: number) => {
  const size = Math.abs(value);
  return number(value, size >= 1e-3 && size < 10 ? Math.max(1 - Math.floor(Math.log10(size)), 1) : 2);
};

/** A correlation with as many digits as tell it from 1. */
export const near1 = (rho: number) => {
  const text = rho.toFixed(Math.max(decimals(1 - Math.abs(rho)) - 1, 2)).replace("-", "−");
  return /[1-9]/.test(text) ? text : text.replace("−", "");
};

export function percent({ value, error }: Estimate): string {
  const text = (share: number) => (100 * share).toFixed(error > 0 && error < 1e-3 ? 2 : 1);
  return error > 0 ? `${text(value)} ± ${text(error)} %` : `${text(value)} %`;
}

/** A verdict with its reasons. */
export interface Finding {
  readonly verdict: Verdict;
  readonly headline: string;
  readonly reasons: string;
}

const HEADLINES: Record<Verdict, string> = {
  agrees: "The limit holds",
  near: "The limit nearly holds",
  differs: "The limit is not reached",
  empty: "Nothing is left to compare",
  alone: "No limit of depth over width",
};

/** The shares of what has exploded. */
function exploded({ network, limit }: { network: Estimate; limit: Estimate }): string {
  const gone = ({ value, error }: Estimate) => percent({ value: 1 - value, error });
  return `${gone(network)} of the networks and ${gone(limit)} of the paths of the limit`;
}

function find(comparison: Comparison, what: string, state: State, more: string, empty: string): Finding {
  const verdict = judge(comparison);
  const headline = `${HEADLINES[verdict]} for ${what}`;
  if (verdict === "empty") return { verdict, headline, reasons: empty };
  if (verdict === "alone") return { verdict, headline, reasons: more };
  const size = state.network === "shaped" ? "width" : "depth";
  const chance = `chance alone stays below ${number(comparison.chance)}`;
  const finite = {
    agrees: "", near: `, and ${size} ${state[size]} may add about ${rough(Math.min(comparison.finite, NEAR))}`,
    differs: `: ${size} ${state[size]} is too small for this setting`,
  }[verdict];
  return { verdict, headline, reasons: `the distance between the two laws is ${number(comparison.distance)}; ${chance}${finite}. ${more}` };
}

/** What the correlations say, and what infinite width would have said. */
export function aboutCorrelation({ state, correlation, explosion }: Report): Finding {
  const { network, wideValue } = correlation;
  const those = explosion ? `with norms at most ${EXPLODED} ` : "";
  const off = Math.abs(network.mean.value - wideValue) / Math.max(network.mean.error, 1e-12);
  const miss = off > 4 ? "it misses the mean, and all of the spread" : "it is right about the mean, as far as these networks can tell, and misses all of the spread";
  return find(correlation, "the correlation", state,
    `The networks ${those}have mean ${estimate(network.mean)} and standard deviation ${estimate(network.deviation)}. ` +
    `Infinite width predicts ${estimate({ value: wideValue, error: 0 }, network.mean.error)} for every network: ${miss}.`,
    explosion
      ? `in ${exploded({ network: explosion.left, limit: explosion.limitLeft })} a norm has exploded, which means here that it is above ${EXPLODED}. ` +
        "Correlations are compared among the others, and these are too few."
      : "");
}

/** What the norms say, with explosions where there are any. */
export function aboutNorm({ state, norm, explosion }: Report): Finding {
  const { network, wideValue } = norm;
  const predicted = Number.isFinite(wideValue) ? rough(wideValue) : "an explosion";
  const [low, middle, high] = network.quantiles.map(({ value }) => rough(value));
  const fate = explosion
    ? ` Above ${EXPLODED} are ${percent(explosion.above)} of the networks and ${percent(explosion.limitAbove)} of the limit; ` +
      `${percent(explosion.limit)} of the limit have exploded, and a finite width only grows fast.`
    : "";
  return find(norm, "the norm", state,
    `Half of the networks are below ${middle}, and the middle 90 % lie between ${low} and ${high}. ` +
    `Infinite width predicts ${predicted} for every network.${fate}`,
    explosion ? `above ${EXPLODED} are ${percent(explosion.above)} of the norms of networks and ${percent(explosion.limitAbove)} of the limit.` : "");
}

/** A finding as a sentence. */
export const sentence = ({ headline, reasons }: Finding) => `${headline}: ${reasons}`;

/** The fate of the norm that b decides. */
export const fate = (b: number) => (b > 0 ? "norms can explode" : b === 0 ? "norms neither explode nor settle" : b >= -1 ? "norms vanish" : "norms settle below 1");

/** What is simulated, in one line; with b, where a shaping has one. */
export function setting(state: State, b: number | null = null): string {
  const sizes = `Width ${state.width}, depth ${state.depth}: `;
  if (state.network === "residual") return `${sizes}the limit has infinitely many layers of this width.`;
  const ratio = number(time(state), time(state) < 0.1 ? 4 : 2).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  const more = b === null ? "not shaped, so that only the width has a limit" : `b = ${number(b, 2)}, ${fate(b)}`;
  return `${sizes}depth/width is ${ratio}; ${more}.`;
}
