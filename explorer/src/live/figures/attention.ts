import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { gather, grid, percent, plusMinus, quantiles, sorted, told } from "../tools";

const TOKENS = 4;
const WIDTH = 32;
const KEYS = 16;
const DEPTH = WIDTH;
const NETWORKS = 200;
const MARKS = 32;
/** Mean sizes of the tokens above this are counted. */
const LARGE = 4;
/** Correlation of any two tokens at the start. */
const RHO = 0.3;

/** The tokens of one network, row by row; a layer compares them and moves them. */
class Tokens {
  readonly x = new Float64Array(TOKENS * WIDTH);
  private readonly V = new Float64Array(TOKENS * TOKENS);
  private readonly L = new Float64Array(TOKENS * TOKENS);
  private readonly queries = new Float64Array(TOKENS * KEYS);
  private readonly keys = new Float64Array(TOKENS * KEYS);
  private readonly values = new Float64Array(TOKENS * WIDTH);

  constructor(private readonly gamma: number, private readonly temperature: number, private readonly shaped: boolean, private readonly normals: Normals) {}

  /** Any tokens with the Gram matrix of the start will do: those along the first axes. */
  start(): void {
    for (let a = 0; a < TOKENS; a++) for (let b = 0; b < TOKENS; b++) this.V[a * TOKENS + b] = a === b ? 1 : RHO;
    this.factor();
    this.x.fill(0);
    for (let a = 0; a < TOKENS; a++) for (let b = 0; b <= a; b++) this.x[a * WIDTH + b] = Math.sqrt(WIDTH) * this.L[a * TOKENS + b];
  }

  /** The share of the covariance that tells tokens apart. */
  share(): number {
    const { V } = this;
    let [trace, sum] = [0, 0];
    for (let a = 0; a < TOKENS; a++) {
      trace += V[a * TOKENS + a];
      for (let b = 0; b < TOKENS; b++) sum += V[a * TOKENS + b];
    }
    return 1 - sum / TOKENS / trace;
  }

  /** The mean squared size of a token; 1 at the start. */
  size(): number {
    return this.V.reduce((sum, each, i) => (i % (TOKENS + 1) ? sum : sum + each / TOKENS), 0);
  }

  /** Seen through the tokens the weights are normal numbers: X W / sqrt(n) = L G with V = L L^T. */
  step(): void {
    const { gamma, values, queries, keys, x } = this;
    this.factor();
    this.drawn(queries, KEYS);
    this.drawn(keys, KEYS);
    this.drawn(values, WIDTH);
    const lambda = Math.sqrt(1 - gamma * gamma);
    const next = new Float64Array(x.length);
    for (let a = 0; a < TOKENS; a++) {
      const weights = this.weights(a);
      for (let i = 0; i < WIDTH; i++) {
        let sum = 0;
        for (let b = 0; b < TOKENS; b++) sum += weights[b] * values[b * WIDTH + i];
        next[a * WIDTH + i] = lambda * x[a * WIDTH + i] + gamma * sum;
      }
    }
    x.set(next);
    this.measure();
  }

  /** A row of the attention matrix. */
  private weights(a: number): number[] {
    const { queries, keys, shaped, temperature } = this;
    const scale = shaped ? temperature * Math.sqrt(WIDTH * KEYS) : temperature * Math.sqrt(KEYS);
    const powers: number[] = [];
    for (let b = 0; b < TOKENS; b++) {
      let score = 0;
      for (let k = 0; k < KEYS; k++) score += queries[a * KEYS + k] * keys[b * KEYS + k];
      powers.push(score / scale);
    }
    const most = Math.max(...powers);
    const raised = powers.map((each) => Math.exp(each - most));
    const sum = raised.reduce((total, each) => total + each, 0);
    return raised.map((each, b) => each / sum + (shaped ? (a === b ? 1 : 0) - 1 / TOKENS : 0));
  }

  private drawn(target: Float64Array, columns: number): void {
    const { L, normals } = this;
    target.fill(0);
    for (let b = 0; b < TOKENS; b++) {
      for (let i = 0; i < columns; i++) {
        const g = normals.next();
        for (let a = b; a < TOKENS; a++) target[a * columns + i] += L[a * TOKENS + b] * g;
      }
    }
  }

  private measure(): void {
    const { x, V } = this;
    for (let a = 0; a < TOKENS; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let i = 0; i < WIDTH; i++) sum += x[a * WIDTH + i] * x[b * WIDTH + i];
        V[a * TOKENS + b] = V[b * TOKENS + a] = sum / WIDTH;
      }
    }
  }

  private factor(): void {
    const { V, L } = this;
    for (let a = 0; a < TOKENS; a++) {
      for (let b = 0; b <= a; b++) {
        let rest = V[a * TOKENS + b];
        for (let k = 0; k < b; k++) rest -= L[a * TOKENS + k] * L[b * TOKENS + k];
        L[a * TOKENS + b] = a === b ? Math.sqrt(Math.max(rest, 0)) : L[b * TOKENS + b] > 1e-12 ? rest / L[b * TOKENS + b] : 0;
      }
    }
  }
}

export const figure: Figure = {
  name: "attention", page: "book/shaped/attention",
  title: "Four tokens in a deep attention network: can it still tell them apart?",
  alt: "Share of the covariance that tells the tokens apart along the layers, for networks of width 32: median and band of 90 percent with shaped attention, and the median with plain softmax and the same skip connection, which falls to zero in a few layers.",
  controls: [
    { key: "gamma", label: "size γ of a branch", values: [0.1, 0.2, 0.3, 0.5, 0.7, 0.9], initial: 0.5 },
    { key: "temperature", label: "temperature τ₀", values: [0.1, 0.2, 0.3, 0.5, 1, 2], initial: 0.5 },
  ],
  keys: [["band", "network", "shaped attention: 90 % of the networks, and their median"], ["line", "control", "softmax and skip connection: median"], ["dash", "data", "softmax that sees all tokens alike: (1 − γ²) a layer"]],
  *run({ gamma, temperature }) {
    const kinds = [true, false].map((shaped) => new Tokens(gamma, temperature, shaped, new Normals(13, Number(shaped))));
    const rows = kinds.map(() => new Float64Array(NETWORKS * (MARKS + 1)));
    const ends = kinds.map(() => new Float64Array(NETWORKS));
    const sizes = new Float64Array(NETWORKS);
    const layers = grid(0, DEPTH, MARKS);
    const start = 1 - RHO;
    const view = (done: number): View => {
      const [low, middle, high] = quantiles(rows[0], MARKS + 1, done, [0.05, 0.5, 0.95]);
      const [plain] = quantiles(rows[1], MARKS + 1, done, [0.5]);
      const [own, other] = ends.map((each) => told(each, done));
      const size = sorted(sizes, done)[Math.floor(done / 2)];
      const large = sizes.subarray(0, done).filter((each) => each > LARGE).length / done;
      const half = plain.findIndex((each) => each < plain[0] / 2);
      return {
        numbers: { shaped: own.value, error: own.error, softmax: other.value, size, large },
        headline: `After ${DEPTH} layers ${percent(own.value)} of the covariance tells the tokens apart; with plain softmax ${percent(other.value, other.value < 0.01 ? 2 : 0)}`,
        reasons: `It was ${percent(plain[0])} at the start, and with shaped attention it is ${plusMinus(own)} in the mean of ${done} networks as deep as they are wide. ` + (half > 0 ? `Plain softmax averages the tokens: half of the difference is gone after ${half} ${half === 1 ? "layer" : "layers"}.` : `With γ = ${number(gamma, 1)} plain softmax averages the tokens too slowly to see it here.`) +
          ` The tokens of the typical shaped network have changed in size by a factor of ${number(size)}; those of ${percent(large, 1)} of the networks are above ${LARGE}, the more the lower the temperature.`,
        panels: [{
          x: { label: "layer", range: [0, DEPTH] }, y: { label: "share that tells tokens apart", range: [0, 0.8] },
          marks: [
            { kind: "band", role: "network", x: layers, low, high, opacity: 0.25 },
            { kind: "line", role: "data", x: layers, y: layers.map((layer) => { const kept = (1 - gamma * gamma) ** layer * start; return (kept * (TOKENS - 1)) / TOKENS / (kept + RHO); }), dash: "5 4", width: 1.3 },
            { kind: "line", role: "control", x: layers, y: plain, width: 2.5 },
            { kind: "line", role: "network", x: layers, y: middle, width: 2.5 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, 1, (i) => kinds.forEach((tokens, kind) => {
      tokens.start();
      const row = rows[kind].subarray(i * (MARKS + 1), (i + 1) * (MARKS + 1));
      row[0] = tokens.share();
      for (let k = 1; k <= MARKS; k++) {
        tokens.step();
        row[k] = tokens.share();
      }
      ends[kind][i] = row[MARKS];
      if (kind === 0) sizes[i] = tokens.size();
    }), view);
  },
};
