import { number } from "../../numbers";
import { Normals } from "../../random";
import { bars, chance, distanceFromLaw } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, normal, normalDensity, sorted } from "../tools";

const CHAINS = 4000;
const DRAWN = 5;
/** The rare jumps come this often in a unit of time, whatever the number of steps. */
const RARE = 3;
const KINDS = ["coin flips", "uniform steps", "skewed steps", "rare jumps"];

/** A step of mean 0 and variance 1 / n. */
function step(kind: number, n: number, normals: Normals): number {
  const u = normals.uniform();
  if (kind === 0) return (u < 0.5 ? -1 : 1) / Math.sqrt(n);
  if (kind === 1) return (Math.sqrt(12) * (u - 0.5)) / Math.sqrt(n);
  if (kind === 2) return (-Math.log(u) - 1) / Math.sqrt(n);
  return u < RARE / n ? (normals.uniform() < 0.5 ? -1 : 1) / Math.sqrt(RARE) : 0;
}

export const figure: Figure = {
  name: "chain-to-diffusion", page: "book/primer/chain-to-diffusion",
  title: "Steps of mean 0 and variance 1/n: when does their law not matter?",
  alt: "Left: five chains of the chosen kind. Right: histogram of where many of them end, with the normal law of the diffusion. Coin flips, uniform and skewed steps reach it with more steps; rare jumps never do.",
  controls: [
    { key: "kind", label: "law of a step", values: [0, 1, 2, 3], names: KINDS, initial: 0 },
    { key: "n", label: "steps n", values: [4, 9, 16, 25, 64, 100, 256, 1000], initial: 64 },
  ],
  keys: [["line", "network", "chains"], ["box", "network", "where they end"], ["line", "limit", "diffusion: N(0, 1)"]],
  *run({ kind, n }) {
    const normals = new Normals(44, kind);
    const ends = new Float64Array(CHAINS);
    const times = grid(0, 1, n);
    const paths: number[][] = [];
    const x = grid(-4, 4, 80);
    // Bins as wide as the lattice of the coin, so that none of them is empty by design.
    const unit = kind === 0 ? 2 / Math.sqrt(n) : kind === 3 ? 1 / Math.sqrt(RARE) : 0.2;
    const wide = unit * Math.max(1, Math.ceil(0.2 / unit));
    const half = (Math.ceil(4 / wide) + 0.5) * wide + (kind === 0 && n % 2 ? wide / 2 : 0);
    const view = (done: number): View => {
      const known = sorted(ends, done);
      const distance = distanceFromLaw(known, normal(0, 1));
      const alone = chance(done);
      const drawn = bars(known, -half, half, Math.round((2 * half) / wide));
      return {
        numbers: { distance },
        headline: kind === 3 ? `Rare jumps: distance ${number(distance)}, and more steps do not help` : distance <= alone ? `${n} steps are as good as the diffusion: distance ${number(distance)}` : `After ${n} steps the distance is ${number(distance)}`,
        reasons: `Chance alone stays below ${number(alone)} for ${done} chains. ` + (kind === 3 ? `A jump comes ${RARE} times in a unit of time however many steps there are, and never gets smaller. Mean and variance are those of the others; the third condition fails.` : "Mean and covariance of one step are all that is left of it in the limit. What is left of its shape falls with more steps."),
        panels: [
          { title: "chains", x: { label: "time", range: [0, 1] }, y: { label: "state", range: [-3, 3] }, marks: paths.map((y) => ({ kind: "line", role: "network", x: times, y, width: 1.2 })) },
          { title: "where they end", x: { label: "state at time 1", range: [-4, 4] }, y: { label: "density", range: [0, Math.max(0.55, 1.05 * Math.max(...drawn.density))] },
            marks: [
              { kind: "bars", role: "network", low: drawn.low, width: drawn.width, height: drawn.density },
              { kind: "line", role: "limit", x, y: x.map((z) => normalDensity(z, 0, 1)), width: 2.5 },
            ] },
        ],
      };
    };
    yield* gather(CHAINS, Math.max(1, Math.floor(2e4 / n)), (i) => {
      let state = 0;
      const path = [0];
      for (let k = 0; k < n; k++) {
        state += step(kind, n, normals);
        if (i < DRAWN) path.push(state);
      }
      if (i < DRAWN) paths.push(path);
      ends[i] = state;
    }, view);
  },
};
