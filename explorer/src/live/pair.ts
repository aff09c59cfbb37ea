/** A pair of inputs through networks and along their limit, as figures need it: the engine of the explorer in pieces. */
import type { Process } from "../networks";

/** Run a process from its start, and look at it at some equidistant places: 0, 1, ..., marks. */
export function walk(process: Process, marks: number, see: (k: number) => void): void {
  process.start();
  see(0);
  let step = 0;
  for (let k = 1; k <= marks; k++) {
    for (; step < Math.round((k * process.steps) / marks); step++) process.step();
    see(k);
  }
}

/** Marks of an axis of artanh of a correlation. */
export const CORRELATION_MARKS = [-0.99, -0.9, -0.5, 0, 0.5, 0.9, 0.99, 0.999].map((rho): [number, string] => [Math.atanh(rho), String(rho).replace("-", "−")]);
