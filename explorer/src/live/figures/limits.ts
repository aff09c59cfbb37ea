import { constants, plain, shapedRectifier } from "../../activations";
import { residualKernel, shapedKernel } from "../../kernels";
import { ResidualNetwork, ShapedNetwork } from "../../networks";
import { number } from "../../numbers";
import { Normals } from "../../random";
import { deviation } from "../../statistics";
import type { Figure, View } from "../figure";
import { walk } from "../pair";
import { gather, grid, powers } from "../tools";

const NETWORKS = 1000;
const DRAWN = 10;
const RHO = 0.3;
const SIZES = powers(3, 7);

export const figure: Figure = {
  name: "limits", page: "book/primer/limits",
  title: "Two inputs with correlation 0.3, two architectures: when is one curve enough?",
  alt: "The correlation of two inputs along the layers, in a few networks of each architecture, with the curve of infinite width. Left, without skip connections, networks spread the more the deeper they are for their width. Right, in residual networks, they spread nearly as much at the first layer as at the last, and the less the wider they are.",
  controls: [
    { key: "width", label: "width n", values: SIZES, initial: 32 },
    { key: "depth", label: "depth d", values: SIZES, initial: 64 },
  ],
  keys: [["line", "network", "networks"], ["dash", "wide", "infinite width"]],
  *run({ width, depth }) {
    const origin = { z: Math.atanh(RHO), first: 1, second: 1 };
    const phi = shapedRectifier(0.5, -0.5, width);
    const bent = plain("relu(x)");
    const marks = Math.min(depth, 64);
    const layers = grid(0, depth, marks);
    const kinds = [
      { title: "without skip connections", network: new ShapedNetwork(phi, width, depth, origin, new Normals(66, width)), wide: shapedKernel(constants("relu", phi, 1, width), origin, depth / width, marks) },
      { title: "residual, branches 1/√d", network: new ResidualNetwork(bent, width, depth, origin, new Normals(67, width)), wide: residualKernel(bent, 1, origin, marks) },
    ].map((kind) => ({ ...kind, wide: kind.wide.map(({ z }) => Math.tanh(z)), ends: new Float64Array(NETWORKS), paths: [] as number[][] }));
    const view = (done: number): View => {
      const [shaped, residual] = kinds.map(({ ends }) => deviation(ends.subarray(0, done)));
      const rules = [(1 - RHO ** 2) * Math.sqrt(depth / width), 1 / Math.sqrt(width)];
      return {
        numbers: { shaped: shaped.value, shapedError: shaped.error, residual: residual.value, residualError: residual.error, shapedWide: kinds[0].wide[marks], residualWide: kinds[1].wide[marks] },
        headline: `In the last layer correlations spread by ${number(shaped.value, 2)} without skip connections, by ${number(residual.value, 2)} with them`,
        reasons: `That is the standard deviation over ${done} networks of width ${width} and depth ${depth}. Depth over width decides on the left, where 0.91 √(d/n) = ${number(rules[0], 2)}` + (depth < width ? ", " : " (a rule for small d/n), ") + `and width alone on the right, where 1/√n = ${number(rules[1], 2)}.`,
        panels: kinds.map(({ title, paths, wide }) => ({
          title, x: { label: "layer", range: [0, depth] }, y: { label: "correlation", range: [-1, 1.02] },
          marks: [...paths.map((y) => ({ kind: "line" as const, role: "network" as const, x: layers, y, width: 1.1, opacity: 0.8 })), { kind: "line", role: "wide", x: layers, y: wide, dash: "3 4", width: 3 }],
        })),
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(5e4 / (width * depth))), (i) => {
      for (const { network, ends, paths } of kinds) {
        const path: number[] = [];
        walk(network, marks, () => path.push(Math.tanh(network.z)));
        if (i < DRAWN) paths.push(path);
        ends[i] = Math.tanh(network.z);
      }
    }, view);
  },
};
