/** One setting: its networks, their limit, the infinitely wide network, and how they compare so far. */
import { type Law, cdf, correlationLaws, expect, normLaws, quantile } from "./densities";
import { DRAWN, ENOUGH, Ensemble, NETWORKS } from "./ensemble";
import { type Pair, build, time } from "./pairs";
import { type State, correlation } from "./state";
import {
  type Bars, type Estimate, bars, chance, deviation, distanceFromLaw, distanceOfSamples, mean, quantileEstimate, share,
} from "./statistics";

/** Layers at which the paths are recorded. */
const MOST_RECORDS = 64;
const BINS = 36;
/** Samples that fix the axes where no law is solved for. */
const PILOT = 100;
/** A norm above this counts as exploded where norms explode: a network of finite width only grows fast. */
export const EXPLODED = 8;
/** Norms that can explode have their law solved for up to this b sqrt(T): beyond, the drift is too fast for the scheme. */
const FASTEST = 6;
/** Of all NETWORKS, those that must be left for a comparison where norms explode. */
const LEAST = 100;

/** Mean and quantiles of one variable, of networks or of the limit. */
export interface Summary {
  readonly mean: Estimate;
  readonly deviation: Estimate;
  /** Of 5, 50 and 95 per cent. */
  readonly quantiles: Estimate[];
}

/** A law at the last layer: of the correlation, or of the norm. */
export interface Comparison {
  readonly bars: Bars;
  /** The limit's density on the axis, as a curve or, if it was simulated, as bars of the same width. */
  readonly curve: { x: number[]; y: number[] } | null;
  readonly steps: Bars | null;
  /** Where infinite width puts all networks, on the axis and as a value. */
  readonly wide: number;
  readonly wideValue: number;
  readonly network: Summary;
  /** None for a network that is not shaped. */
  readonly limit: Summary | null;
  /** Kolmogorov distance between networks and limit, and what chance alone may do. */
  readonly distance: number;
  readonly chance: number;
  /** The size of the error that a finite network is known to have. */
  readonly finite: number;
  /** Whether enough networks and paths are left that have not exploded. */
  readonly enough: boolean;
}

/** Everything that the page shows of a setting. */
export interface Report {
  readonly state: State;
  readonly done: number;
  /** Networks after which there is a verdict, and in all. */
  readonly goal: number;
  readonly total: number;
  readonly layers: number[];
  readonly paths: { network: number[][]; limit: number[][] };
  /** The first squared norm along the depth: 5, 50 and 95 per cent of networks and of the limit. */
  readonly norms: { network: number[][]; quantiles: number[][]; limit: number[][] | null; wide: number[] };
  readonly means: { value: number[]; error: number[] };
  readonly limit: { mean: number[]; low: number[]; high: number[] };
  readonly wide: number[];
  readonly correlation: Comparison;
  readonly norm: Comparison;
  /**
   * What decides the fate of the norm of a shaped network; and, with norms that can explode, probabilities by the end, in the limit, and of norms above EXPLODED; and those of
   * which the correlation counts, as both norms are below.
   */
  readonly b: number | null;
  readonly explosion: { limit: Estimate; above: Estimate; limitAbove: Estimate; left: Estimate; limitLeft: Estimate } | null;
}

const PROBABILITIES = [0.05, 0.5, 0.95];
const NONE: Estimate = { value: NaN, error: 0 };
/** A comparison where there is no limit to compare with. */
const WITHOUT = { limit: null, curve: null, steps: null, distance: NaN, chance: NaN, enough: true };

/** Sorted samples of a coordinate, described in the variable that it stands for. */
function describe(sorted: Float64Array, value: (x: number) => number): Summary {
  const values = sorted.map(value);
  if (!values.length) return { mean: NONE, deviation: NONE, quantiles: PROBABILITIES.map(() => NONE) };
  return {
    mean: mean(values),
    deviation: deviation(values),
    quantiles: PROBABILITIES.map((p) => quantileEstimate(values, p)),
  };
}

function describeLaw(law: Law, value: (z: number) => number): Summary {
  const exact = (value: number): Estimate => ({ value, error: 0 });
  const found = expect(law, value);
  return {
    mean: exact(found),
    deviation: exact(Math.sqrt(Math.max(expect(law, (z) => (value(z) - found) ** 2), 0))),
    quantiles: PROBABILITIES.map((p) => exact(value(quantile(law, p)))),
  };
}

/** An interval that holds nearly all of a law, on an axis whose unit is `unit` times that of the law. */
function within(law: Law, unit: number): [number, number] {
  return halves(unit * quantile(law, 0.001), unit * quantile(law, 0.999));
}

/** An interval that holds nearly all of what some samples come from; around `start` if there are too few of these. */
function around(samples: Float64Array, start: number): [number, number] {
  const finite = samples.filter(Number.isFinite);
  if (finite.length < 2) return halves(start - 2, start + 2);
  const { value, error } = mean(finite);
  const spread = Math.max(3.3 * error * Math.sqrt(finite.length), 0.1);
  return halves(value - spread, value + spread);
}

/** Ends at halves: an axis should not tremble with its samples. */
function halves(low: number, high: number): [number, number] {
  return [Math.floor(2 * low) / 2, Math.ceil(2 * high) / 2];
}

/** Numbers that are drawn before there is a verdict, about, and in a piece of the work. */
const AFFORDED = 5e8;
const PIECE = 2e4;

export class Experiment {
  readonly records: number;
  private readonly pair: Pair;
  private readonly network: Ensemble;
  private readonly limit: Ensemble | null;
  /** Laws of the correlation along the depth, and of the norm at the end, where they are solved for. */
  private readonly correlations: Law[] | null;
  private readonly norms: Law[] | null;
  /** Whether norms can explode, and the largest that counts as finite. */
  private readonly explodes: boolean;
  private readonly most: number;
  private ranges: { z: [number, number]; norm: [number, number] } | null = null;
  private ranged = 0;

  constructor(readonly state: State) {
    this.records = Math.min(state.depth, MOST_RECORDS);
    this.pair = build(state, this.records);
    const limiting = this.pair.constants;
    this.explodes = limiting !== null && limiting.b > 0;
    this.most = this.explodes ? EXPLODED : Infinity;
    this.network = new Ensemble(this.pair.network, this.records, this.most);
    this.limit = this.pair.limit && new Ensemble(this.pair.limit, this.records, this.most);
    const end = time(state);
    const times = Array.from({ length: this.records }, (_, k) => ((k + 1) / this.records) * end);
    const z0 = Math.atanh(correlation(state));
    this.correlations = limiting && limiting.bend === 0 ? correlationLaws(limiting, z0, times) : null;
    this.norms = limiting && limiting.b * Math.sqrt(end) <= FASTEST ? normLaws(limiting, state.norm, times) : null;
  }

  get finished(): boolean {
    return this.network.size === NETWORKS && (!this.limit || this.limit.size === this.paths);
  }

  /** Paths of the limit that are wanted: a few to draw, or as many as networks where its law is not solved for. */
  private get paths(): number {
    return this.correlations ? DRAWN : NETWORKS;
  }

  /** Networks after which there is a verdict: all, or as many as a few seconds allow. */
  get goal(): number {
    const { width, depth } = this.state;
    const simulated = this.pair.limit && !this.correlations ? this.pair.limit.steps * (this.pair.constants ? 2 : width) : 0;
    return Math.min(Math.max(Math.floor(AFFORDED / (2 * (width * depth + simulated))), ENOUGH), NETWORKS);
  }

  /** Networks of which all is known: the limit keeps pace where it is simulated. */
  get done(): number {
    return this.limit && !this.correlations ? Math.min(this.network.size, this.limit.size) : this.network.size;
  }

  /** A piece of the next network and, where it is behind, of the next path of the limit. */
  advance(): void {
    const { network, limit } = this;
    const steps = Math.max(1, Math.floor(PIECE / this.state.width));
    if (network.size < NETWORKS) network.grow(steps);
    if (limit && limit.size < this.paths && limit.size <= network.size) limit.grow(steps);
  }

  /** What is known so far, from at least DRAWN networks. */
  report(): Report {
    const { network, limit, records, state, pair } = this;
    const layers = Array.from({ length: records + 1 }, (_, k) => Math.round((k * state.depth) / records));
    const ranges = this.axes();
    return {
      state,
      done: this.done,
      goal: this.goal,
      total: NETWORKS,
      layers,
      paths: { network: network.drawn, limit: limit?.drawn ?? [] },
      norms: {
        network: network.norms, quantiles: network.normQuantiles(PROBABILITIES), limit: this.limitNorms(),
        wide: pair.wide.map((place) => place.first),
      },
      b: pair.constants?.b ?? null,
      means: network.means(),
      limit: this.alongDepth(),
      wide: pair.wide.map((place) => Math.tanh(place.z)),
      correlation: this.compareCorrelations(ranges.z),
      norm: this.compareNorms(ranges.norm),
      explosion: this.explosion(),
    };
  }

  /** Ranges of the axes: of the laws, or of the first samples; fixed when there are enough of these. */
  private axes(): { z: [number, number]; norm: [number, number] } {
    if (this.ranges && this.ranged >= PILOT) return this.ranges;
    const pilot = this.limit ?? this.network;
    this.ranged = this.correlations ? PILOT : pilot.size;
    const last = this.correlations?.[this.records - 1];
    const z = last ? within(last, 1) : around(this.selected(pilot), Math.atanh(correlation(this.state)));
    const start = Math.log(this.state.norm);
    const norm = this.norms ? within(this.norms[this.records - 1], Math.SQRT2) : around(pilot.first.subarray(0, pilot.size).map(Math.log), start);
    // A norm that can explode has a heavy tail: its law is shown up to 1000, and from the start if nearly all have exploded.
    const low = Number.isFinite(norm[0]) ? norm[0] : halves(start - 2, start)[0];
    // Without a limit the prediction of infinite width should be in the picture, unless it is far away.
    const wide = Math.log(this.pair.wide[this.records].first);
    if (!this.limit && Math.abs(wide - (low + norm[1]) / 2) < 40) return (this.ranges = { z, norm: [Math.min(low, wide - 1), Math.max(norm[1], wide + 1)] });
    return (this.ranges = { z, norm: [low, this.explodes ? Math.min(norm[1], Math.log(1000)) : norm[1]] });
  }

  private alongDepth(): Report["limit"] {
    const rho0 = correlation(this.state);
    if (this.correlations) {
      const laws = this.correlations;
      const at = (p: number) => [rho0, ...laws.map((law) => Math.tanh(quantile(law, p)))];
      return { mean: [rho0, ...laws.map((law) => expect(law, Math.tanh))], low: at(0.05), high: at(0.95) };
    }
    if (!this.limit) return { mean: [], low: [], high: [] };
    const [low, high] = this.limit.quantiles([0.05, 0.95]);
    return { mean: this.limit.means().value, low, high };
  }

  private limitNorms(): number[][] | null {
    const { norms, state } = this;
    if (norms) return PROBABILITIES.map((p) => [state.norm, ...norms.map((law) => Math.exp(Math.SQRT2 * quantile(law, p)))]);
    return this.limit && (this.pair.constants === null || this.limit.size > PILOT) ? this.limit.normQuantiles(PROBABILITIES) : null;
  }

  /** Indices of samples whose norms count as finite: all, where norms cannot explode. */
  private selected(ensemble: Ensemble): Float64Array {
    const { z, first, second, size } = ensemble;
    const { most } = this;
    return z.subarray(0, size).filter((_, i) => first[i] <= most && second[i] <= most).sort();
  }

  private compareCorrelations([low, high]: [number, number]): Comparison {
    const samples = this.selected(this.network);
    const wide = this.pair.wide[this.records].z;
    const shared = { bars: bars(samples, low, high, BINS), wide, wideValue: Math.tanh(wide), finite: this.finiteCorrelation() };
    const least = (LEAST * this.network.size) / NETWORKS;
    const network = describe(samples, Math.tanh);
    if (this.correlations) {
      const law = this.correlations[this.records - 1];
      return {
        ...shared, network, limit: describeLaw(law, Math.tanh), curve: density(law, low, high, 1), steps: null,
        distance: distanceFromLaw(samples, cdf(law)), chance: chance(samples.length), enough: true,
      };
    }
    if (!this.limit) return { ...shared, network, ...WITHOUT };
    const others = this.selected(this.limit);
    return {
      enough: !this.explodes || Math.min(samples.length, others.length) >= least,
      ...shared, network, limit: describe(others, Math.tanh), curve: null, steps: bars(others, low, high, BINS),
      distance: distanceOfSamples(samples, others), chance: chance(samples.length, others.length),
    };
  }

  /** The norm of the first input, on a logarithmic axis. */
  private compareNorms([low, high]: [number, number]): Comparison {
    const samples = this.network.first.subarray(0, this.network.size).map(Math.log).sort();
    const wideValue = this.pair.wide[this.records].first;
    // Explosions are a part of this law: networks that are left where the limit has exploded tell the two apart.
    const found = this.explosion();
    const enough = !found || Math.min(found.above.value, found.limitAbove.value) <= 1 - LEAST / NETWORKS;
    const shared = { bars: bars(samples, low, high, BINS), wide: Math.log(wideValue), wideValue, finite: this.finiteNorm(), enough };
    const network = describe(samples, Math.exp);
    if (!this.limit) return { ...shared, network, ...WITHOUT };
    if (this.norms) {
      const law = this.norms[this.records - 1];
      const distribution = cdf(law);
      return {
        ...shared, network, limit: describeLaw(law, (z) => Math.exp(Math.SQRT2 * z)),
        curve: density(law, low, high, Math.SQRT2), steps: null,
        distance: distanceFromLaw(samples, (x) => distribution(x / Math.SQRT2), Math.log(this.most)),
        chance: chance(samples.length),
      };
    }
    const others = this.limit.first.subarray(0, this.limit.size).map(Math.log).sort();
    return {
      ...shared, network, limit: describe(others, Math.exp), curve: null, steps: bars(others, low, high, BINS),
      distance: distanceOfSamples(samples, others, Math.log(this.most)), chance: chance(samples.length, others.length),
    };
  }

  /*
   * About how far the law of a finite network is from the limit, for chance to be told from it. The forms are those
   * of the first correction: 1/width for shaped networks, 1/depth for residual ones. The factors were fitted to
   * Kolmogorov distances of 5000 to 30 000 networks of this program, whose laws are those of the Python engine, at
   * widths from 4 to 400 and depth/width T from 1/4 to 6. Distance times width, measured and by the formula:
   *
   *   correlation, linear network, T = 1, 4:                   0.35, 0.5 and 0.55, 0.8
   *   correlation, c+ - c- = 1, 2, 3 (gap2 = 1.3, 3.9, 10):    0.45, 0.7, 1.5 and 0.75, 1.1, 2.0 at T = 1
   *   the same from correlation -0.95, and 0.999:              1.3 and 1.2; 0.8 and 0.75 with gap2 = 1.3, T = 1
   *   correlation, tanh, a = 1, 0.5, 0.3:                      1, 3, 13 and 0.7, 2.8, 18 at T = 1
   *   correlation, SiLU a = 1 with V = 1, 2; GELU a = 1:       1.1, 1.4; 1.1, 2.6 and 1.2, 1.5; 1.7, 2.1
   *   norm, gap2 = 0, 1.3, 3.9, 10 at T = 1:                   0.2, 0.7, 1.8, 4.1 and 0.3, 0.9, 2.1, 4.8
   *   norm, tanh, a = 1, 0.5, 0.3:                             1.2, 2, 7 and 1.3, 3.7, 9
   *   norm, SiLU a = 1 with V = 0.5, 1, 2; a = 0.5 with V = 1: 0.7, 1.9, 5.6; 5.4 and 1.0, 2.0, 4.7; 6.5
   *   residual (distance times depth):                         0.05 to 0.2 and 0.25
   */
  private finiteCorrelation(): number {
    const { state, pair } = this;
    if (!pair.constants) return 0.25 / state.depth;
    const { gap2, b, bend } = pair.constants;
    const T = time(state);
    const rest = 0.3 + 0.25 * Math.sqrt(T);
    if (bend > 0) return (rest + 0.8 * Math.sqrt(b * state.norm)) / state.width;
    // The bend of a rectifier is strongest between opposite inputs.
    const opposite = Math.max(1, Math.exp(-this.pair.wide[0].z) / 2);
    return (rest + 0.15 * gap2 * T ** 0.75 * opposite + 0.035 * b * b * T) / state.width;
  }

  private finiteNorm(): number {
    const { state, pair } = this;
    if (!pair.constants) return 0.25 / state.depth;
    const { gap2, b } = pair.constants;
    const root = Math.sqrt(time(state));
    if (b > 0) return (0.5 + 2 * b * state.norm ** 1.5 * Math.max(1, root)) / state.width;
    if (b < 0) return (0.5 - 0.4 * b * Math.sqrt(Math.max(1, state.norm))) / state.width;
    // A bend adds 3 gap2 / (2 width) of itself to the variance of log V, 2T, and takes half of that from its mean.
    return (0.3 + 0.45 * gap2 * root) / state.width;
  }

  private explosion(): Report["explosion"] {
    if (!this.explodes || !this.limit) return null;
    const law = this.norms && cdf(this.norms[this.records - 1]);
    const exact = (value: number): Estimate => ({ value: Math.max(value, 0), error: 0 });
    const above = (ensemble: Ensemble, most: number) => share(ensemble.first.subarray(0, ensemble.size), (V) => V > most || V === Infinity);
    const left = (ensemble: Ensemble) => share(ensemble.first.subarray(0, ensemble.size).map((V, i) => Math.max(V, ensemble.second[i])), (V) => V <= EXPLODED);
    return {
      left: left(this.network),
      limitLeft: left(this.limit),
      limit: law ? exact(1 - law(Infinity)) : above(this.limit, Infinity),
      above: above(this.network, EXPLODED),
      limitAbove: law ? exact(1 - law(Math.log(EXPLODED) / Math.SQRT2)) : above(this.limit, EXPLODED),
    };
  }
}

/** The density on an axis whose unit is `unit` times that of the law. */
function density(law: Law, low: number, high: number, unit: number): { x: number[]; y: number[] } {
  const [x, y]: [number[], number[]] = [[], []];
  law.masses.forEach((mass, i) => {
    const place = (law.low + (i + 0.5) * law.width) * unit;
    if (place < low || place > high) return;
    x.push(place);
    y.push(mass / (law.width * unit));
  });
  return { x, y };
}
