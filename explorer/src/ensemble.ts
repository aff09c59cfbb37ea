/** Many samples of one process, as the plots and the verdict need them. */
import type { Process } from "./networks";
import { quantileOf } from "./statistics";

/** Samples in all, those after which there is a verdict where they are slow, and those whose paths are drawn. */
export const NETWORKS = 4000;
export const ENOUGH = 200;
export const DRAWN = 12;
/** Samples that are kept in full, for quantiles along the depth. */
const KEPT = 1000;

/** Samples of one process: all of them at the end, the first ones along the depth. */
export class Ensemble {
  readonly z = new Float64Array(NETWORKS);
  readonly first = new Float64Array(NETWORKS);
  readonly second = new Float64Array(NETWORKS);
  /** Correlations along the depth of the samples that are drawn. */
  readonly drawn: number[][] = [];
  /** The squared norms of the first input of the same. */
  readonly norms: number[][] = [];
  /** Correlations along the depth: of the first samples, and sums over all; without those that have exploded. */
  private readonly kept: Float64Array;
  private readonly keptNorms: Float64Array;
  private readonly counts: Float64Array;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  size = 0;
  /** Where the sample that is being walked is: its next place, none between samples; its steps; its paths if drawn. */
  private record = -1;
  private step = 0;
  private path: number[] = [];
  private norm: number[] = [];

  constructor(
    private readonly process: Process,
    private readonly records: number,
    private readonly most: number,
  ) {
    this.kept = new Float64Array(KEPT * (records + 1));
    this.keptNorms = new Float64Array(KEPT * (records + 1));
    [this.counts, this.sums, this.squares] = [0, 0, 0].map(() => new Float64Array(records + 1));
  }

  /** Walk on by at most so many steps, to the end of a sample if that is nearer. */
  grow(most: number): void {
    const { process, records } = this;
    if (this.record < 0) {
      process.start();
      this.step = 0;
      this.see();
    }
    for (let done = 0; done < most; done++) {
      process.step();
      this.step++;
      while (this.record <= records && this.step === Math.round((this.record * process.steps) / records)) this.see();
      if (this.record > records) return this.finish();
    }
  }

  /** Look at the process at the next place along the depth. */
  private see(): void {
    const { process, size, records } = this;
    const k = Math.max(this.record, 0);
    this.record = k + 1;
    const rho = Math.tanh(process.z);
    const counts = process.first <= this.most && process.second <= this.most;
    if (counts) {
      this.counts[k]++;
      this.sums[k] += rho;
      this.squares[k] += rho * rho;
    }
    if (size < KEPT) {
      this.kept[size * (records + 1) + k] = counts ? rho : NaN;
      this.keptNorms[size * (records + 1) + k] = process.first;
    }
    if (size < DRAWN) {
      this.path.push(process.first < Infinity && process.second < Infinity ? rho : NaN);
      this.norm.push(process.first < Infinity ? process.first : NaN);
    }
  }

  private finish(): void {
    const { process, size } = this;
    if (size < DRAWN) {
      this.drawn.push(this.path);
      this.norms.push(this.norm);
      [this.path, this.norm] = [[], []];
    }
    this.z[size] = process.z;
    this.first[size] = process.first;
    this.second[size] = process.second;
    this.size++;
    this.record = -1;
  }

  /** Means along the depth with their standard errors. */
  means(): { value: number[]; error: number[] } {
    const value = Array.from(this.sums, (sum, k) => sum / this.counts[k]);
    const error = value.map((m, k) => Math.sqrt(Math.max(this.squares[k] / this.counts[k] - m * m, 0) / this.counts[k]));
    return { value, error };
  }

  /** Quantiles of the correlation along the depth, of the paths that are kept. */
  quantiles(p: number[]): number[][] {
    return this.along(this.kept, p);
  }

  /** Quantiles of the first squared norm. */
  normQuantiles(p: number[]): number[][] {
    return this.along(this.keptNorms, p);
  }

  private along(rows: Float64Array, p: number[]): number[][] {
    const size = Math.min(this.size, KEPT);
    const stride = this.records + 1;
    const found: number[][] = p.map(() => []);
    for (let k = 0; k < stride; k++) {
      const values = Float64Array.from({ length: size }, (_, i) => rows[i * stride + k]);
      const sorted = values.filter((x) => !Number.isNaN(x)).sort();
      p.forEach((each, i) => found[i].push(quantileOf(sorted, each)));
    }
    return found;
  }
}
