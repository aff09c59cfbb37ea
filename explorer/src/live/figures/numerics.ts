import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { gather, percent, powers } from "../tools";

const STEPS = powers(0, 9);
const DRAWS = 100_000;

/** Whether 1 + sqrt(h / 2) (G + G^T), symmetric with normal entries, is positive definite: by elimination. */
function keeps(size: number, h: number, normals: Normals, a: Float64Array): boolean {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) a[i * size + j] = i === j ? 1 + Math.sqrt(2 * h) * normals.next() : Math.sqrt(h) * normals.next();
  }
  for (let k = 0; k < size; k++) {
    const pivot = a[k * size + k];
    if (pivot <= 0) return false;
    for (let i = k + 1; i < size; i++) {
      for (let j = k + 1; j <= i; j++) a[i * size + j] -= (a[i * size + k] * a[j * size + k]) / pivot;
    }
  }
  return true;
}

export const figure: Figure = {
  name: "numerics", page: "book/shaped/numerics",
  title: "Euler's scheme: how many paths leave the cone of covariances?",
  alt: "Share of the paths of Euler's scheme that have lost positive definiteness before time 1, against the number of steps, for the chosen number of inputs. It falls from nearly all to nearly none, the later the more inputs there are. The multiplying scheme loses none.",
  controls: [
    { key: "inputs", label: "inputs", values: [1, 2, 3, 4, 5, 8], initial: 3 },
    { key: "steps", label: "steps to time 1", values: STEPS, initial: 8 },
  ],
  keys: [["line", "network", "Euler's scheme, linear network"], ["line", "limit", "the scheme that multiplies"]],
  *run({ inputs, steps }) {
    const normals = new Normals(14, inputs);
    const a = new Float64Array(inputs * inputs);
    const lost = STEPS.map(() => 0);
    const at = STEPS.indexOf(steps);
    const view = (done: number): View => {
      // Every step meets a fresh matrix, whatever the covariance is: it is a factor on both sides.
      const each = lost.map((count) => count / done);
      const shares = each.map((p, k) => 1 - (1 - p) ** STEPS[k]);
      const error = (STEPS[at] * (1 - each[at]) ** (STEPS[at] - 1) * Math.sqrt(each[at] * (1 - each[at]))) / Math.sqrt(done);
      const enough = STEPS.find((_, k) => shares[k] < 0.01);
      return {
        numbers: { share: shares[at], error },
        headline: `With ${steps} ${steps === 1 ? "step" : "steps"} Euler's scheme loses ${percent(shares[at], shares[at] < 0.1 ? 2 : 0)} of its paths`,
        reasons: `They stop being covariances of ${inputs} ${inputs === 1 ? "input" : "inputs"} before time 1, wherever they began. ` + (enough ? `Below one in a hundred it takes ${enough} steps. ` : "More than 512 steps would be needed for fewer than one in a hundred. ") + `A scheme that multiplies by a random factor from both sides loses none, whatever its step.`,
        panels: [{
          x: { label: "steps to time 1", range: [0.9, 570], log: true, marks: STEPS.map((each) => [each, String(each)]) }, y: { label: "share of paths lost", range: [-0.03, 1.03] },
          marks: [
            { kind: "line", role: "limit", x: [0.9, 570], y: [0, 0], width: 2.5 },
            { kind: "line", role: "network", x: STEPS, y: shares },
            { kind: "dots", role: "network", x: STEPS, y: shares },
            { kind: "line", role: "network", x: [steps, steps], y: [0, shares[at]], width: 1.5 },
          ],
        }],
      };
    };
    yield* gather(DRAWS, 500, () => STEPS.forEach((count, k) => {
      if (!keeps(inputs, 1 / count, normals, a)) lost[k]++;
    }), view);
  },
};
