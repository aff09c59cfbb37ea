import { number } from "../../numbers";
import { Normals } from "../../random";
import { mean } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, percent, powers } from "../tools";

const WIDTH = 16;
const DRAWN = 6;
const NETWORKS = 120;
const SIDES = ["after the weights (outside)", "before the weights (inside)", "on both sides"];

/** All states of one network of the width for some inputs, each copied into every neuron. */
function network(inputs: readonly number[], side: number, depth: number, normals: Normals): Float64Array {
  const count = inputs.length;
  const x = new Float64Array(WIDTH * count);
  for (let i = 0; i < WIDTH; i++) x.set(inputs, i * count);
  const root = 1 / Math.sqrt(depth);
  const inner = new Float64Array(WIDTH * count);
  const h = new Float64Array(count);
  for (let layer = 0; layer < depth; layer++) {
    for (let k = 0; k < x.length; k++) inner[k] = side === 0 ? x[k] : Math.tanh(x[k]);
    for (let i = 0; i < WIDTH; i++) {
      h.fill(root * normals.next());
      for (let j = 0; j < WIDTH; j++) {
        const weight = (root * normals.next()) / Math.sqrt(WIDTH);
        for (let k = 0; k < count; k++) h[k] += weight * inner[j * count + k];
      }
      for (let k = 0; k < count; k++) x[i * count + k] += side === 1 ? h[k] : Math.tanh(h[k]);
    }
  }
  return x;
}

export const figure: Figure = {
  name: "expressive-power", page: "book/residual/expressive-power",
  title: "Random functions: where does the activation stand?",
  alt: "The first neuron of six random networks as functions of the input from −2 to 2. With tanh after the weights and many layers they are straight lines; with tanh before the weights they stay curved.",
  controls: [
    { key: "side", label: "tanh stands", values: [0, 1, 2], names: SIDES, initial: 0 },
    { key: "depth", label: "depth L", values: powers(0, 8), initial: 128 },
  ],
  keys: [["line", "network", `one neuron of a random network of width ${WIDTH}`], ["dash", "control", "straight line through its ends"]],
  *run({ side, depth }) {
    const inputs = grid(-2, 2, 40);
    const drawn: number[][] = [];
    for (let k = 0; k < DRAWN; k++) {
      drawn.push(Array.from(network(inputs, side, depth, new Normals(31 + k, 1)).subarray(0, inputs.length)));
      yield null;
    }
    const normals = new Normals(5, 2);
    // The bend of each neuron, and how far the input moves it.
    const bends = new Float64Array(NETWORKS);
    const moves = new Float64Array(NETWORKS);
    const reach = Math.max(...drawn.flat().map(Math.abs)) * 1.05;
    const view = (done: number): View => {
      const square = mean(bends.subarray(0, done));
      const bend = Math.sqrt(square.value);
      const share = bend / Math.sqrt(mean(moves.subarray(0, done)).value);
      return {
        numbers: { square: square.value, error: square.error, share },
        headline: share < 0.05 ? "Straight lines" : share < 0.15 ? "Nearly straight" : "Curved",
        reasons: `With tanh ${SIDES[side]} and ${depth} ${depth === 1 ? "layer" : "layers"} a neuron bends by ${number(bend)} between the inputs −1 and 1, ${percent(share, 1)} of the way that it moves (root of the mean square over ${done} networks). ` +
          (side === 0 ? "Each layer sees small numbers only, and there tanh is straight: the bend falls like 1/L." : "Before the weights tanh sees the state itself, which stays large, and no depth makes it straight."),
        panels: [{
          x: { label: "input z", range: [-2, 2] }, y: { label: "first neuron", range: [-reach, reach] },
          marks: drawn.flatMap((y) => [
            { kind: "line" as const, role: "control" as const, x: [-2, 2], y: [y[0], y[y.length - 1]], dash: "4 4", width: 1.2 },
            { kind: "line" as const, role: "network" as const, x: inputs, y },
          ]),
        }],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(64 / depth)), (sample) => {
      const x = network([-1, 0, 1], side, depth, normals);
      for (let i = 0; i < WIDTH; i++) {
        const [left, middle, right] = x.subarray(3 * i, 3 * i + 3);
        bends[sample] += (middle - (left + right) / 2) ** 2 / WIDTH;
        moves[sample] += (right - left) ** 2 / WIDTH;
      }
    }, view);
  },
};
