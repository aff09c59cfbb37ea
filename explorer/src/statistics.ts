/** Samples against laws: distances, and what chance alone may do. */

/** A number with its standard error; the error of an exact number is 0. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

/** The Kolmogorov distance that samples of the right law exceed once in a thousand times, times the root of their number. */
const ONE_IN_A_THOUSAND = 1.95;

export function mean(samples: ArrayLike<number>): Estimate {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < samples.length; i++) {
    sum += samples[i];
    squares += samples[i] * samples[i];
  }
  const size = samples.length;
  const value = sum / size;
  return { value, error: Math.sqrt(Math.max(squares / size - value * value, 0) / Math.max(size - 1, 1)) };
}

/** The share of samples for which something holds. */
export function share(samples: Float64Array, holds: (x: number) => boolean): Estimate {
  let count = 0;
  for (const x of samples) if (holds(x)) count++;
  const value = count / samples.length;
  // With one of each added, so that no event is called impossible.
  const smooth = (count + 1) / (samples.length + 2);
  return { value, error: Math.sqrt((smooth * (1 - smooth)) / samples.length) };
}

/** The standard deviation; its error from the fourth moment. */
export function deviation(samples: Float64Array): Estimate {
  const size = samples.length;
  const middle = mean(samples).value;
  let [squares, fourths] = [0, 0];
  for (const x of samples) {
    const square = (x - middle) ** 2;
    squares += square / size;
    fourths += (square * square) / size;
  }
  const value = Math.sqrt(squares);
  return { value, error: Math.sqrt(Math.max(fourths - squares * squares, 0) / size) / (2 * Math.max(value, 1e-300)) };
}

/** The quantile of sorted samples. */
export function quantileOf(sorted: Float64Array, p: number): number {
  return sorted[Math.min(Math.floor(p * sorted.length), sorted.length - 1)];
}

/** The same with its error: the samples below the quantile are binomial in number, so the order statistics around it tell. */
export function quantileEstimate(sorted: Float64Array, p: number): Estimate {
  const away = Math.sqrt((p * (1 - p)) / sorted.length);
  const value = quantileOf(sorted, p);
  const error = (quantileOf(sorted, Math.min(p + away, 1)) - quantileOf(sorted, Math.max(p - away, 0))) / 2;
  return { value, error: Number.isFinite(error) ? error : 0 };
}

/** The Kolmogorov distance of sorted samples from a distribution function, over values up to `most`. */
export function distanceFromLaw(sorted: Float64Array, cdf: (x: number) => number, most = Infinity): number {
  let largest = 0;
  for (let i = 0; i < sorted.length && sorted[i] <= most; i++) {
    const below = cdf(sorted[i]);
    largest = Math.max(largest, below - i / sorted.length, (i + 1) / sorted.length - below);
  }
  return largest;
}

/** The Kolmogorov distance of two sorted samples, over values up to `most`. */
export function distanceOfSamples(a: Float64Array, b: Float64Array, most = Infinity): number {
  let [i, j, largest] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const x = Math.min(a[i], b[j]);
    if (x > most) break;
    while (i < a.length && a[i] <= x) i++;
    while (j < b.length && b[j] <= x) j++;
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length));
  }
  return largest;
}

/** The distance that chance alone exceeds once in a thousand times, for samples against a law or a second sample. */
export function chance(size: number, other = Infinity): number {
  return ONE_IN_A_THOUSAND * Math.sqrt(1 / size + 1 / other);
}

/** A histogram as a density, with the standard error of each bar. */
export interface Bars {
  readonly low: number;
  readonly width: number;
  readonly density: number[];
  readonly error: number[];
}

/** Samples outside the range count in the total, so that bars compare with a density that is not cut off. */
export function bars(samples: Float64Array, low: number, high: number, count: number): Bars {
  const width = (high - low) / count;
  const counts = new Array<number>(count).fill(0);
  for (const x of samples) {
    const bin = Math.floor((x - low) / width);
    if (bin >= 0 && bin < count) counts[bin]++;
  }
  const unit = samples.length ? 1 / (samples.length * width) : 0;
  const density = counts.map((k) => k * unit);
  const error = counts.map((k) => Math.sqrt(k * (1 - k / Math.max(samples.length, 1))) * unit);
  return { low, width, density, error };
}
