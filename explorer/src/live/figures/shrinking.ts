import { number } from "../../numbers";
import type { Figure } from "../figure";
import { gaussian, geometric, grid, level, powers, upright } from "../tools";

interface Outer {
  readonly name: string;
  readonly value: (h: number) => number;
  readonly slope: number;
  readonly second: number;
}

const sigmoid = (h: number) => 1 / (1 + Math.exp(-h));

/** Activations that vanish at 0, with slope and curvature there; ReLU has neither. */
const OUTER: readonly Outer[] = [
  { name: "tanh", value: Math.tanh, slope: 1, second: 0 },
  { name: "swish", value: (h) => h * sigmoid(h), slope: 0.5, second: 0.5 },
  { name: "ELU", value: (h) => (h > 0 ? h : Math.expm1(h)), slope: 1, second: NaN },
  { name: "softplus − log 2", value: (h) => Math.log1p(Math.exp(-Math.abs(h))) + Math.max(h, 0) - Math.LN2, slope: 0.5, second: 0.25 },
  { name: "ReLU", value: (h) => Math.max(h, 0), slope: NaN, second: NaN },
];

export const figure: Figure = {
  name: "shrinking", page: "book/residual/shrinking",
  title: "What is left of the activation after the weights?",
  alt: "Left: the outer activation over the numbers that it sees in a network of the chosen depth, with its parabola at zero. Right: the mean of a branch per unit of time against the depth, which levels off at half the curvature for smooth activations and grows like the root of the depth for ReLU.",
  controls: [
    { key: "outer", label: "activation after the weights", values: OUTER.map((_, i) => i), names: OUTER.map(({ name }) => name), initial: 1 },
    { key: "depth", label: "depth L", values: powers(0, 12), initial: 16 },
  ],
  keys: [["line", "network", "a network of this depth"], ["dash", "limit", "slope and half the curvature at 0: the limit of infinite depth"]],
  *run({ outer, depth }) {
    const { name, value, slope, second } = OUTER[outer];
    const mean = (L: number) => L * gaussian((g) => value(g / Math.sqrt(L)), 0.005);
    const depths = geometric(1, 4096, 36);
    const spread = depth * gaussian((g) => value(g / Math.sqrt(depth)) ** 2, 0.005);
    const here = mean(depth);
    const settles = Number.isFinite(second);
    const reach = 3 / Math.sqrt(depth);
    const h = grid(-reach, reach, 80);
    const limit = settles ? second / 2 : NaN;
    const curve = depths.map(mean);
    const most = Math.min(Math.max(0.4, ...curve), settles ? 1 : 4);
    yield {
      numbers: { mean: here, square: spread },
      headline: settles ? `At depth ${depth} a branch of ${name} moves the mean by ${number(here)} per unit of time; the limit is ${number(limit)}` : `${name} has no curvature at 0, and no such limit`,
      reasons: settles
        ? `It adds the variance ${number(spread)}, in the limit ${number(slope * slope)}, the squared slope at 0. A branch sees numbers of size 1/√${depth}, where a parabola is all that can be told of ${name}: more layers, and less of its shape.`
        : name === "ReLU"
          ? `It keeps its corner at every size, so ${depth} layers move the mean by ${number(here, 2)} = √(L/2π), and four times as many by twice as much. ReLU cannot stand after the weights.`
          : `Its slope at 0 is ${slope}, but its curvature jumps there from 1 to 0. The mean at depth ${depth} is ${number(here)}, and it tends to a quarter, the average of the two halves. The theorem asks for more smoothness than this.`,
      panels: [
        { title: "what a branch sees", x: { label: "number before the activation", range: [-reach, reach] }, y: { label: "after it", range: [Math.min(...h.map(value)) * 1.15 - 0.02 * reach, Math.max(...h.map(value)) * 1.15] },
          marks: [
            { kind: "line", role: "network", x: h, y: h.map(value), width: 3 },
            ...(settles ? [{ kind: "line" as const, role: "limit" as const, x: h, y: h.map((each) => slope * each + (second / 2) * each * each), dash: "5 4" }] : []),
          ] },
        { title: "mean per unit of time", x: { label: "depth L", range: [0.9, 4600], log: true }, y: { label: "mean", range: [-0.06, 1.1 * most] },
          marks: [
            ...(settles ? [level("limit", limit, 0.9, 4600, "5 4")] : []),
            { kind: "line", role: "network", x: depths, y: curve },
            upright("data", depth, -1, 100, "2 4"),
            { kind: "dots", role: "network", x: [depth], y: [here] },
          ] },
      ],
    };
  },
};
