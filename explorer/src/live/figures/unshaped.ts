import { constants, plain, shapedRectifier } from "../../activations";
import { shapedKernel } from "../../kernels";
import { ShapedNetwork } from "../../networks";
import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { arccosine, near } from "../laws";
import { walk } from "../pair";
import { gather, geometric, steps, told } from "../tools";

const NETWORKS = 300;
const WIDTH = 100;
const DRAWN = 8;

export const figure: Figure = {
  name: "unshaped", page: "book/shaped/unshaped",
  title: "Two inputs in a deep ReLU network: what is left of the difference?",
  alt: "One minus the correlation of two inputs against the layer, both axes logarithmic. For plain ReLU it falls like the inverse square of the layer, in networks and at infinite width. For shaped ReLU of the same width it stays large.",
  controls: [
    { key: "rho", label: "correlation of the inputs", values: [-0.9, -0.5, -0.2, 0, 0.2, 0.5, 0.8, 0.9, 0.95], initial: 0.2, say: (value) => number(value, 2) },
    { key: "depth", label: "layers", values: [5, 10, 20, 50, 100, 200, 400], initial: 100 },
  ],
  keys: [["line", "network", `plain ReLU, networks of width ${WIDTH}`], ["dash", "wide", "plain ReLU, infinite width"], ["dash", "data", "9π²/2 over the squared layer"], ["line", "limit", `shaped ReLU, slopes 1 and 1 − 1/√${WIDTH}, mean`]],
  *run({ rho, depth }) {
    const origin = { z: Math.atanh(rho), first: 1, second: 1 };
    const rectifier = { ...plain("relu(x)"), normaliser: 2 };
    const shaped = shapedRectifier(0, -1, WIDTH);
    const normals = new Normals(12, 1);
    const network = new ShapedNetwork(rectifier, WIDTH, depth, origin, normals);
    const layers = steps(depth);
    const wide = [rho];
    for (let layer = 0; layer < depth; layer++) wide.push(arccosine(wide[layer]));
    const marks = Math.min(depth, 100);
    const held = shapedKernel(constants("relu", shaped, 1, WIDTH), origin, depth / WIDTH, marks).map(({ z }) => 2 / (1 + Math.exp(2 * z)));
    const gaps = new Float64Array(NETWORKS);
    const paths: number[][] = [];
    const inner = steps(marks).map((k) => Math.round((k * depth) / marks) + 1);
    const asymptote = geometric(1, depth + 1, 20);
    const view = (done: number): View => {
      const gap = told(gaps, done);
      const end = 1 - wide[depth];
      const low = Math.min(end, gap.value) / 8;
      return {
        numbers: { gap: gap.value, error: gap.error, wide: end, scaled: depth * depth * end, shaped: held[marks] },
        headline: `After ${depth} layers infinite width leaves a correlation of ${near(1 - end)}`,
        reasons: `Whatever it was at the start: the squared layer times what is missing to 1 is ${number(depth * depth * end, 1)}, on its way to 44.4. Networks of width ${WIDTH} agree in kind: their mean correlation is ${near(1 - gap.value)}. With slopes 1 and 0.9 instead of 1 and 0 infinite width would leave ${near(1 - held[marks])}: the inputs stay apart.`,
        panels: [{
          x: { label: "layer + 1", range: [1, depth + 1], log: true }, y: { label: "1 − correlation", range: [low, 2.2], log: true },
          marks: [
            ...paths.map((y) => ({ kind: "line" as const, role: "network" as const, x: inner, y, width: 1.1, opacity: 0.75 })),
            { kind: "line", role: "data", x: asymptote, y: asymptote.map((layer) => (9 * Math.PI ** 2) / (2 * layer * layer)), dash: "6 4", width: 1.3 },
            { kind: "line", role: "wide", x: layers.map((layer) => layer + 1), y: wide.map((each) => 1 - each), dash: "3 4", width: 3 },
            { kind: "line", role: "limit", x: inner, y: held, width: 2.5 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(800 / depth)), (i) => {
      const path: number[] = [];
      const left = () => 2 / (1 + Math.exp(2 * network.z));
      walk(network, marks, () => path.push(left()));
      if (i < DRAWN) paths.push(path);
      gaps[i] = left();
    }, view);
  },
};
