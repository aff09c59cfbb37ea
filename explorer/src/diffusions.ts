/** The limit of shaped networks whose depth grows with their width, seen by two inputs. Time is depth/width. */
import type { Constants } from "./activations";
import type { Place, Process } from "./networks";
import type { Normals } from "./random";

/** sin t - t cos t without cancellation at small angles. */
export function angleDefect(t: number): number {
  const q = t * t;
  if (t < 0.3) return (t * q * (1 - (q / 10) * (1 - (q / 28) * (1 - q / 54)))) / 3;
  return Math.sin(t) - t * Math.cos(t);
}

/**
 * How fast shaping moves x = (1 + rho) / (1 - rho) = exp(2 z) of two inputs of a rectifier. In this
 * coordinate the equation rho' = nu(rho) is regular at opposite inputs, x = 0.
 */
export function ratioRate(x: number, gap2: number): number {
  return (gap2 * angleDefect(2 * Math.atan2(1, Math.sqrt(x))) * (1 + x) ** 2) / (4 * Math.PI);
}

/** How fast smooth shaping moves e = 1 - rho of two inputs with squared norms v and w. */
export function gapRate(e: number, v: number, w: number, bend: number): number {
  const [r, s] = [Math.sqrt(v), Math.sqrt(w)];
  return bend * (0.375 * (r - s) ** 2 - e * (0.375 * (v + w) - r * s + (e * r * s) / 2));
}

/**
 * The covariance SDE of two inputs, in coordinates with simple noise: z = artanh(rho), whose noise
 * is Brownian motion, and 1/V for each norm, which is linear and is 0 from an explosion on.
 * A step is half of the drift, the noise, and the other half. A correlation ends with either norm.
 */
export class PairDiffusion implements Process {
  z = 0;
  first = 0;
  second = 0;
  private readonly h: number;
  private inverse = 0;
  private other = 0;

  constructor(
    private readonly constants: Constants,
    time: number,
    readonly steps: number,
    private readonly origin: Place,
    private readonly normals: Normals,
  ) {
    this.h = time / steps;
  }

  start(): void {
    Object.assign(this, this.origin);
    this.inverse = 1 / this.first;
    this.other = 1 / this.second;
  }

  step(): void {
    if (this.inverse === 0 && this.other === 0) return;
    this.drift(this.h / 2);
    this.shake(this.h);
    this.drift(this.h / 2);
    this.first = 1 / this.inverse;
    this.second = 1 / this.other;
  }

  /** The noise of a linear network: three Brownian motions whose correlations follow from that of the inputs. */
  private shake(h: number): void {
    const rho = Math.tanh(this.z);
    const own = Math.sqrt(1 - (rho * rho) / 2);
    const shared = (rho * rho) / 2 / (own * own);
    const [a, b, c] = [this.normals.next(), this.normals.next(), this.normals.next()];
    const common = (rho / Math.SQRT2) * a;
    const size = Math.sqrt(2 * h);
    this.inverse *= Math.exp(h - size * (common + own * b));
    this.other *= Math.exp(h - size * (common + own * (shared * b + Math.sqrt(1 - shared * shared) * c)));
    this.z += (rho / 2) * h + Math.sqrt(h) * a;
  }

  private drift(h: number): void {
    const { gap2, b, bend } = this.constants;
    if (gap2 > 0) {
      const x = Math.exp(2 * this.z);
      const middle = x + (h / 2) * ratioRate(x, gap2);
      this.z = Math.log(x + h * ratioRate(middle, gap2)) / 2;
    }
    if (bend > 0 && this.inverse > 0 && this.other > 0) {
      const e = 2 / (1 + Math.exp(2 * this.z));
      const [v, w] = [1 / this.inverse, 1 / this.other];
      const middle = e + (h / 2) * gapRate(e, v, w, bend);
      const moved = Math.min(Math.max(e + h * gapRate(middle, v, w, bend), 1e-30), 2 - 1e-9);
      this.z = Math.log(2 / moved - 1) / 2;
    }
    if (b !== 0) {
      // 1/V - 1 grows like exp(b t): V' = b V (V - 1), solved.
      const grown = Math.exp(b * h);
      const flow = (inverse: number) => (inverse > 0 ? Math.max(inverse * grown - (grown - 1), 0) : 0);
      this.inverse = flow(this.inverse);
      this.other = flow(this.other);
    }
  }
}
