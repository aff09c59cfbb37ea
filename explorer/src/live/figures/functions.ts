import { number } from "../../numbers";
import type { Figure } from "../figure";
import { arccosine, near } from "../laws";
import { steps } from "../tools";

const MOST = 500;

/** Correlations along the layers at infinite width, for two inputs of squared norm 1: three ways to be deep. */
function follow(rho: number, depth: number): { forward: number[]; unscaled: number[]; shrinking: number[] } {
  const found = { forward: [rho], unscaled: [rho], shrinking: [rho] };
  let [a, b, q, c] = [rho, rho, 1, rho];
  for (let layer = 0; layer < depth; layer++) {
    a = arccosine(a);
    // x + W ReLU(x) with variance 2: the branch has the size of the state.
    b = (b + arccosine(b)) / 2;
    [q, c] = [q + (1 + q) / depth, c + (1 + c) / depth];
    found.forward.push(a);
    found.unscaled.push(b);
    found.shrinking.push(c / q);
  }
  return found;
}

export const figure: Figure = {
  name: "functions", page: "book/residual/functions",
  title: "How alike are the outputs at two inputs?",
  alt: "Correlation of the outputs at two inputs along the layers, at infinite width. In feed-forward networks on the edge of chaos it climbs to 1 whatever it was. In unscaled residual networks it does so too, more slowly. In shrinking networks it ends at a value that depends on the inputs.",
  controls: [
    { key: "rho", label: "correlation of the inputs", values: [-0.9, -0.7, -0.5, -0.3, -0.1, 0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98], initial: -0.3, say: (value) => number(value, 2) },
    { key: "depth", label: "layers", values: [2, 5, 10, 20, 50, 100, 200, MOST], initial: 100 },
  ],
  keys: [["line", "control", "feed-forward, edge of chaos (ReLU)"], ["dash", "data", "residual, not scaled (ReLU)"], ["line", "limit", "shrinking residual, tanh outside"]],
  *run({ rho, depth }) {
    const { forward, unscaled, shrinking } = follow(rho, depth);
    const x = steps(depth);
    const [first, second, third] = [forward, unscaled, shrinking].map((each) => each[depth]);
    yield {
      numbers: { forward: first, unscaled: second, shrinking: third },
      headline: `After ${depth} layers: ${near(first)}, ${near(second)} and ${near(third)}`,
      reasons: `In a feed-forward network on the edge of chaos the outputs of the two inputs have correlation ${near(first)}: ${first > 0.99 ? "to the network they are one input" : "they come together"}. A residual network that is not scaled ends at ${near(second)}. In a shrinking one ${number(rho, 2)} becomes ${near(third)}, with ${depth >= 50 ? "hardly any change" : "little change"} when more layers are added: the inputs stay two.`,
      panels: [{
        x: { label: "layer", range: [0, depth] }, y: { label: "correlation", range: [Math.min(-0.1, rho) - 0.05, 1.05] },
        marks: [
          { kind: "line", role: "data", x, y: unscaled, dash: "5 4" },
          { kind: "line", role: "control", x, y: forward, width: 2.5 },
          { kind: "line", role: "limit", x, y: shrinking, width: 2.5 },
        ],
      }],
    };
  },
};
