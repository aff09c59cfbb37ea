/** Infinitely wide networks: correlation and norms are numbers that solve ordinary differential equations. */
import { type Activation, type Constants, apply } from "./activations";
import { gapRate, ratioRate } from "./diffusions";
import type { Place } from "./networks";

/** V' = b V (V - 1) from V0, +infinity from its explosion on. */
function norm(start: number, b: number, time: number): number {
  const inverse = 1 + (1 / start - 1) * Math.exp(b * time);
  return inverse > 0 ? 1 / inverse : Infinity;
}

/** One step of the classical Runge-Kutta scheme for one number. */
function rungeKutta(y: number, t: number, h: number, rate: (y: number, t: number) => number): number {
  const k1 = rate(y, t);
  const k2 = rate(y + (h / 2) * k1, t + h / 2);
  const k3 = rate(y + (h / 2) * k2, t + h / 2);
  const k4 = rate(y + h * k3, t + h);
  return y + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
}

/** Steps of the scheme between two recorded times. */
const SUBSTEPS = 8;

/** A shaped network of infinite width at times k time / records, k = 0 ... records; depth/width is the time. */
export function shapedKernel(constants: Constants, origin: Place, time: number, records: number): Place[] {
  const { gap2, b, bend } = constants;
  const h = time / (records * SUBSTEPS);
  let x = Math.exp(2 * origin.z);
  let e = 2 / (1 + x);
  const path = [{ ...origin }];
  for (let k = 0; k < records * SUBSTEPS; k++) {
    const t = k * h;
    if (gap2 > 0) x = rungeKutta(x, t, h, (y) => ratioRate(y, gap2));
    if (bend > 0) {
      const moved = rungeKutta(e, t, h, (y, s) => gapRate(y, norm(origin.first, b, s), norm(origin.second, b, s), bend));
      if (Number.isFinite(moved)) e = moved;
      x = 2 / e - 1;
    }
    if ((k + 1) % SUBSTEPS === 0) {
      path.push({ z: Math.log(x) / 2, first: norm(origin.first, b, t + h), second: norm(origin.second, b, t + h) });
    }
  }
  return path;
}

/** E[f(g)f(h)] for normals of variance v and correlation rho, by the trapezoidal rule in both. */
function gaussianMean(f: (x: number) => number, v: number, rho: number): number {
  const [root, rest, step] = [Math.sqrt(v), Math.sqrt(1 - rho * rho), 0.5];
  let sum = 0;
  for (let i = -12; i <= 12; i++) {
    for (let j = -12; j <= 12; j++) {
      const [u, w] = [i * step, j * step];
      sum += Math.exp(-(u * u + w * w) / 2) * f(root * u) * f(root * (rho * u + rest * w));
    }
  }
  return (sum * step * step) / (2 * Math.PI);
}

/** e = 1 - rho after a ReLU layer of infinite width: the arc-cosine kernel, without cancellation for small e. */
function reluGap(e: number): number {
  const angle = 2 * Math.asin(Math.sqrt(Math.min(e / 2, 1)));
  return e - (Math.sin(angle) - angle * Math.cos(angle)) / Math.PI;
}

/** A network as people initialise it, of infinite width, at equidistant layers: weights of variance gain/width, and biases. */
export function plainKernel(activation: Activation, gain: number, bias: number, origin: Place, depth: number, records: number): Place[] {
  const path = [{ ...origin }];
  let [v, e] = [origin.first, 2 / (1 + Math.exp(2 * origin.z))];
  let layer = 0;
  for (let k = 1; k <= records; k++) {
    for (; layer < Math.round((k * depth) / records); layer++) {
      if (activation.kind === "rectifier") {
        // ReLU or the identity.
        const { plus, minus } = activation;
        const power = (plus * plus + minus * minus) / 2;
        const bent = plus === minus ? e : reluGap(e);
        const grown = gain * power * v;
        [v, e] = [grown + bias, (grown * bent) / Math.max(grown + bias, 1e-300)];
      } else {
        const f = (x: number) => apply(activation, x);
        const same = gain * gaussianMean(f, v, 1) + bias;
        const other = gain * gaussianMean(f, v, Math.min(1 - e, 1)) + bias;
        [v, e] = [same, Math.max(1 - other / same, 1e-15)];
      }
      if (!(v < 1e300)) [v, e] = [Infinity, e];
    }
    path.push({ z: Math.log(2 / Math.max(e, 1e-300) - 1) / 2, first: v, second: v });
  }
  return path;
}

/** A residual network of infinite width and depth for two inputs of equal norm, at times k / records. */
export function residualKernel(activation: Activation, gain: number, origin: Place, records: number): Place[] {
  const path = [{ ...origin }];
  let [x, v, c] = [Math.exp(2 * origin.z), origin.first, origin.first * Math.tanh(origin.z)];
  const f = (x: number) => apply(activation, x);
  for (let k = 1; k <= records; k++) {
    if (activation.kind === "smooth") {
      // Both of K' = gain E[phi phi] by the midpoint rule.
      const h = 1 / records;
      const rates = (v: number, c: number) => [gain * gaussianMean(f, v, 1), gain * gaussianMean(f, v, c / v)];
      const [dv, dc] = rates(v, c);
      const [middleV, middleC] = rates(v + (h / 2) * dv, c + (h / 2) * dc);
      [v, c] = [v + h * middleV, c + h * middleC];
      x = (v + c) / (v - c);
    } else {
      const bent = activation.plus !== activation.minus;
      v = origin.first * Math.exp(((k / records) * gain) / (bent ? 2 : 1));
      const h = gain / (records * SUBSTEPS);
      if (bent) for (let i = 0; i < SUBSTEPS; i++) x = rungeKutta(x, 0, h, (y) => ratioRate(y, 1));
    }
    path.push({ z: Math.log(x) / 2, first: v, second: v });
  }
  return path;
}
