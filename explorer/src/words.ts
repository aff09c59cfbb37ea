/** The verdict in words. */
import { type Comparison, EXPLODED, type Report } from "./experiment";
import { time } from "./pairs";
import type { State } from "./state";
import type { Estimate } from "./statistics";

/** "agrees": chance explains the difference; "near": chance and finite size do; "differs": they do not. */
export type Verdict = "agrees" | "near" | "differs";

export function judge(comparison: Comparison): Verdict {
  if (comparison.distance <= comparison.chance) return "agrees";
  return comparison.distance <= comparison.chance + comparison.finite ? "near" : "differs";
}

/** A power of ten in the exponent, or another whole number. */
export const superscript = (power: number) => String(power).replace(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));

/** A number with few digits and a true minus sign. */
export function number(value: number, digits = 3): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e4 || (size < 1e-3 && size > 0)) {
    const [head, power] = value.toExponential(1).split("e");
    return `${head.replace("-", "−")} × 10${superscript(Number(power))}`;
  }
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : digits).replace("-", "−");
}

export function estimate({ value, error }: Estimate, digits = 3): string {
  return error > 0 ? `${number(value, digits)} ± ${number(error, digits)}` : number(value, digits);
}

export function percent({ value, error }: Estimate): string {
  const text = (100 * value).toFixed(1);
  return error > 0 ? `${text} ± ${(100 * error).toFixed(1)} %` : `${text} %`;
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
};

function find(comparison: Comparison, what: string, state: State, more: string): Finding {
  const verdict = judge(comparison);
  const size = state.network === "shaped" ? "width" : "depth";
  const chance = `chance alone stays below ${number(comparison.chance)}`;
  const finite = verdict === "agrees" ? "" : `, and ${size} ${state[size]} may add up to about ${number(Math.min(comparison.finite, 1), 2)}`;
  const reasons = `the distance between the two laws is ${number(comparison.distance)}; ${chance}${finite}. ${more}`;
  return { verdict, headline: `${HEADLINES[verdict]} for ${what}`, reasons };
}

/** What the correlations say, and what infinite width would have said. */
export function aboutCorrelation({ state, correlation }: Report): Finding {
  const { network, wideValue } = correlation;
  const off = Math.abs(network.mean.value - wideValue) / Math.max(network.mean.error, 1e-12);
  const miss = off > 4 ? "it misses the mean, and all of the spread" : "it is right about the mean, as far as these networks can tell, and misses all of the spread";
  return find(correlation, "the correlation", state,
    `The networks have mean ${estimate(network.mean)} and standard deviation ${number(network.deviation)}. ` +
    `Infinite width predicts ${number(wideValue)} for every network: ${miss}.`);
}

/** What the norms say, with explosions where there are any. */
export function aboutNorm({ state, norm, explosion }: Report): Finding {
  const { network, wideValue } = norm;
  const predicted = Number.isFinite(wideValue) ? number(wideValue, 2) : "an explosion";
  const [low, middle, high] = network.quantiles.map((q) => number(q, 2));
  const fate = explosion
    ? ` In the limit ${percent({ value: explosion.limit, error: 0 })} of the norms have exploded by the last layer. A network of finite width only` +
      ` grows fast: above ${EXPLODED} are ${percent(explosion.above)} of the networks and ${percent(explosion.limitAbove)} of the limit.`
    : "";
  return find(norm, "the norm", state,
    `Half of the networks are below ${middle}, and the middle 90 % lie between ${low} and ${high}. ` +
    `Infinite width predicts ${predicted} for every network.${fate}`);
}

/** A finding as a sentence. */
export const sentence = ({ headline, reasons }: Finding) => `${headline}: ${reasons}`;

/** What is simulated, in one line. */
export function setting(state: State): string {
  const ratio = number(time(state), 2).replace(/\.?0+$/, "");
  return state.network === "shaped"
    ? `Width ${state.width}, depth ${state.depth}: depth/width is ${ratio}.`
    : `Width ${state.width}, depth ${state.depth}: the limit has infinitely many layers of this width.`;
}
