/** Many samples of one process, as the plots and the verdict need them. */
import type { Process } from "./networks";
import { quantileOf } from "./statistics";

/** Samples in all, and those whose paths are drawn. */
export const NETWORKS = 4000;
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
  /** Correlations along the depth: of the first samples, and sums over all; without those that have exploded. */
  private readonly kept: Float64Array;
  private readonly counts: Float64Array;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  size = 0;

  constructor(
    private readonly process: Process,
    private readonly records: number,
    private readonly most: number,
  ) {
    this.kept = new Float64Array(KEPT * (records + 1));
    [this.counts, this.sums, this.squares] = [0, 0, 0].map(() => new Float64Array(records + 1));
  }

  /** One more sample. */
  grow(): void {
    const { process, records, size } = this;
    const path: number[] = [];
    process.start();
    let step = 0;
    for (let k = 0; k <= records; k++) {
      for (; step < Math.round((k * process.steps) / records); step++) process.step();
      const rho = Math.tanh(process.z);
      const counts = process.first <= this.most && process.second <= this.most;
      if (counts) {
        this.counts[k]++;
        this.sums[k] += rho;
        this.squares[k] += rho * rho;
      }
      if (size < KEPT) this.kept[size * (records + 1) + k] = counts ? rho : NaN;
      if (size < DRAWN) path.push(process.first < Infinity && process.second < Infinity ? rho : NaN);
    }
    if (size < DRAWN) this.drawn.push(path);
    this.z[size] = process.z;
    this.first[size] = process.first;
    this.second[size] = process.second;
    this.size++;
  }

  /** Means along the depth with their standard errors. */
  means(): { value: number[]; error: number[] } {
    const value = Array.from(this.sums, (sum, k) => sum / this.counts[k]);
    const error = value.map((m, k) => Math.sqrt(Math.max(this.squares[k] / this.counts[k] - m * m, 0) / this.counts[k]));
    return { value, error };
  }

  /** Quantiles along the depth, of the paths that are kept. */
  quantiles(p: number[]): number[][] {
    const size = Math.min(this.size, KEPT);
    const stride = this.records + 1;
    const found: number[][] = p.map(() => []);
    for (let k = 0; k < stride; k++) {
      const values = Float64Array.from({ length: size }, (_, i) => this.kept[i * stride + k]);
      const sorted = values.filter((x) => !Number.isNaN(x)).sort();
      p.forEach((each, i) => found[i].push(quantileOf(sorted, each)));
    }
    return found;
  }
}
