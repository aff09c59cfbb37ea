/** Laws in closed form that more than one figure needs. */
import { number } from "../numbers";

/** The correlation after a ReLU layer of infinite width. */
export function arccosine(rho: number): number {
  const angle = Math.acos(Math.min(Math.max(rho, -1), 1));
  return (Math.sin(angle) + (Math.PI - angle) * Math.cos(angle)) / Math.PI;
}

/** A correlation with as many digits as tell it from 1. */
export const near = (rho: number) => number(rho, Math.min(Math.max(2, 1 - Math.floor(Math.log10(Math.max(1 - Math.abs(rho), 1e-9)))), 9));

/** The regularised lower incomplete gamma function P(shape, x), by its series. */
export function lowerGamma(shape: number, x: number): number {
  if (x <= 0) return 0;
  let [term, sum] = [1 / shape, 1 / shape];
  for (let k = 1; k < 1000 && term > 1e-16 * sum; k++) sum += term *= x / (shape + k);
  return Math.min(sum * Math.exp(shape * Math.log(x) - x - logGamma(shape)), 1);
}

/** log Gamma, by Stirling's series after a shift. */
export function logGamma(x: number): number {
  let [shift, z] = [0, x];
  for (; z < 12; z++) shift -= Math.log(z);
  return shift + (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5);
}

/** The probability that the norm dV = b V (V - 1) dt + sqrt(2) V dB ever explodes from V. */
export const explodes = (b: number, V: number) => (b > 0 ? lowerGamma(b + 1, b * V) : 0);
