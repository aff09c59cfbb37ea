/**
 * Networks that read two inputs, simulated without their weights: given a layer, the neurons of the
 * next are independent Gaussian pairs whose covariance is the Gram matrix of that layer.
 */
import { type Activation, apply, lookUp } from "./activations";
import type { Normals } from "./random";

/** Where a pair of inputs stands: artanh of their correlation and their squared norms over the width. */
export interface Place {
  z: number;
  first: number;
  second: number;
}

/** A network or its limit: both move a pair of inputs from step to step. */
export interface Process extends Place {
  readonly steps: number;
  start(): void;
  step(): void;
}

/** Sums over neurons: squares of the first values, squares of the differences, and their products. */
const sums = { power: 0, gap: 0, product: 0 };

/**
 * artanh of the correlation of p and p + q from the sums of p^2, q^2 and p q. The differences q
 * keep their digits for nearly parallel inputs, and so does z.
 */
function separation(power: number, gap: number, product: number): number {
  const area = power * gap - product * product;
  return Math.asinh((power + product) / Math.sqrt(Math.max(area, 1e-300)));
}

/** A fully connected network with a shaped activation. */
export class ShapedNetwork implements Process {
  z = 0;
  first = 0;
  second = 0;
  private readonly noise: Float64Array;

  constructor(
    private readonly activation: Activation,
    private readonly width: number,
    readonly steps: number,
    private readonly origin: Place,
    private readonly normals: Normals,
  ) {
    this.noise = new Float64Array(2 * width);
  }

  start(): void {
    Object.assign(this, this.origin);
  }

  /** One layer. Values are kept relative to the size of their input, so that parallel inputs stay close. */
  step(): void {
    if (this.first === Infinity || this.second === Infinity) return;
    this.normals.fill(this.noise);
    const cosine = Math.tanh(this.z);
    const sine = 1 / Math.cosh(this.z);
    const { activation } = this;
    if (activation.kind === "rectifier") this.bend(activation.plus, activation.minus, cosine, sine);
    else {
      const s = activation.scale;
      // A norm of zero would divide by zero; no network of interest comes near this one.
      this.curve(activation.table, s / Math.sqrt(this.first + 1e-200), s / Math.sqrt(this.second + 1e-200), cosine, sine);
    }
    const scale = activation.normaliser / this.width;
    this.first *= scale * sums.power;
    this.second *= scale * (sums.power + 2 * sums.product + sums.gap);
    if (this.first < 1e300 && this.second < 1e300) this.z = separation(sums.power, sums.gap, sums.product);
    else this.first = this.second = Infinity;
  }

  private bend(plus: number, minus: number, cosine: number, sine: number): void {
    const { noise } = this;
    let [power, gap, product] = [0, 0, 0];
    for (let i = 0; i < noise.length; i += 2) {
      const u = noise[i];
      const v = cosine * u + sine * noise[i + 1];
      const p = u * (u > 0 ? plus : minus);
      const q = v * (v > 0 ? plus : minus) - p;
      power += p * p;
      gap += q * q;
      product += p * q;
    }
    Object.assign(sums, { power, gap, product });
  }

  private curve(table: Float64Array, s: number, t: number, cosine: number, sine: number): void {
    const { noise } = this;
    const [perS, perT] = [1 / s, 1 / t];
    let [power, gap, product] = [0, 0, 0];
    for (let i = 0; i < noise.length; i += 2) {
      const u = noise[i];
      const v = cosine * u + sine * noise[i + 1];
      const p = s * lookUp(table, u * perS);
      const q = t * lookUp(table, v * perT) - p;
      power += p * p;
      gap += q * q;
      product += p * q;
    }
    Object.assign(sums, { power, gap, product });
  }
}

/** A fully connected network as people initialise it: weights of variance gain/width, biases of variance `bias`. */
export class PlainNetwork implements Process {
  z = 0;
  first = 0;
  second = 0;
  private readonly noise: Float64Array;

  constructor(
    private readonly activation: Activation,
    private readonly width: number,
    readonly steps: number,
    private readonly origin: Place,
    private readonly normals: Normals,
    private readonly gain: number,
    private readonly bias: number,
  ) {
    this.noise = new Float64Array(2 * width);
  }

  start(): void {
    Object.assign(this, this.origin);
  }

  /** One layer: norms are those of what enters the activation, so that 1 is the size of a standard input. */
  step(): void {
    if (this.first === Infinity || this.second === Infinity) return;
    const { noise, activation, gain, bias, width } = this;
    this.normals.fill(noise);
    const [r, s] = [Math.sqrt(this.first), Math.sqrt(this.second)];
    const [cosine, sine] = [Math.tanh(this.z), 1 / Math.cosh(this.z)];
    let [power, gap, product] = [0, 0, 0];
    for (let i = 0; i < noise.length; i += 2) {
      const p = apply(activation, r * noise[i]);
      const q = apply(activation, s * (cosine * noise[i] + sine * noise[i + 1])) - p;
      power += p * p;
      gap += q * q;
      product += p * q;
    }
    const scale = gain / width;
    power = scale * power + bias;
    [gap, product] = [scale * gap, scale * product];
    this.first = power;
    this.second = power + 2 * product + gap;
    if (this.first < 1e300 && this.second < 1e300) this.z = separation(power, gap, product);
    else this.first = this.second = Infinity;
  }
}

/**
 * A residual network x + W phi(x) / sqrt(width depth) from a Gaussian input layer, W of variance `gain`. Its limit of
 * infinite depth is a diffusion whose Euler scheme is the same network: `steps` tells them apart.
 */
export class ResidualNetwork implements Process {
  z = 0;
  first = 0;
  second = 0;
  private readonly noise: Float64Array;
  /** The states of the first input, and by how much those of the second differ. */
  private readonly x: Float64Array;
  private readonly d: Float64Array;

  constructor(
    private readonly activation: Activation,
    private readonly width: number,
    readonly steps: number,
    private readonly origin: Place,
    private readonly normals: Normals,
    private readonly gain = 1,
  ) {
    this.noise = new Float64Array(2 * width);
    this.x = new Float64Array(width);
    this.d = new Float64Array(width);
  }

  start(): void {
    const { z, first, second } = this.origin;
    this.x.fill(0);
    this.d.fill(0);
    const size = Math.sqrt(second);
    this.add(Math.sqrt(first), size * Math.tanh(z) - Math.sqrt(first), size / Math.cosh(z));
    this.measure();
  }

  step(): void {
    const { activation, x, d } = this;
    let [power, gap, product] = [0, 0, 0];
    for (let i = 0; i < x.length; i++) {
      const p = apply(activation, x[i]);
      const q = apply(activation, x[i] + d[i]) - p;
      power += p * p;
      gap += q * q;
      product += p * q;
    }
    const unit = Math.sqrt(this.gain / (this.width * this.steps));
    const root = Math.sqrt(power);
    const along = power > 0 ? product / root : 0;
    this.add(unit * root, unit * along, unit * Math.sqrt(Math.max(gap - along * along, 0)));
    this.measure();
  }

  /** Add independent Gaussian pairs: `size` times one normal to x, `along` times it and `across` times another to d. */
  private add(size: number, along: number, across: number): void {
    const { noise, x, d } = this;
    this.normals.fill(noise);
    for (let i = 0; i < x.length; i++) {
      x[i] += size * noise[2 * i];
      d[i] += along * noise[2 * i] + across * noise[2 * i + 1];
    }
  }

  private measure(): void {
    const { x, d } = this;
    let [power, gap, product] = [0, 0, 0];
    for (let i = 0; i < x.length; i++) {
      power += x[i] * x[i];
      gap += d[i] * d[i];
      product += x[i] * d[i];
    }
    this.first = power / this.width;
    this.second = (power + 2 * product + gap) / this.width;
    this.z = separation(power, gap, product);
  }
}
