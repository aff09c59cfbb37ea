import { constants } from "../../activations";
import { correlationLaws, expect } from "../../densities";
import { ShapedNetwork } from "../../networks";
import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { gather, grid, level, plusMinus, told } from "../tools";

const NETWORKS = 500;
const RHO = 0.2;
const EXPONENTS = [0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.85, 1];

/** Slopes 1 + n^-p and 1 - n^-p. */
function rectifier(exponent: number, width: number) {
  const [plus, minus] = [1 + width ** -exponent, 1 - width ** -exponent];
  return { kind: "rectifier" as const, plus, minus, normaliser: 2 / (plus * plus + minus * minus) };
}

/** The mean correlation after d = n layers by the limit with the slope difference of this width. */
function limit(exponent: number, width: number): number {
  const limiting = constants("relu", rectifier(exponent, width), 1, width);
  return expect(correlationLaws(limiting, Math.atanh(RHO), [1])[0], Math.tanh);
}

export const figure: Figure = {
  name: "outputs", page: "book/shaped/outputs",
  title: "Slopes 1 ± n⁻ᵖ: which exponent p is right?",
  alt: "Mean correlation after as many layers as neurons, from 0.2, against the exponent of shaping, for the chosen width and for two others. To the left of one half it rises to 1 with the width, to the right it falls back to the value of a linear network, and all widths cross at one half.",
  controls: [
    { key: "exponent", label: "exponent p", values: EXPONENTS, initial: 0.35, say: (value) => number(value, 2) },
    { key: "width", label: "width n = depth d", values: [8, 16, 32, 64, 100], initial: 64 },
  ],
  keys: [["dots", "network", "networks of this width, ± 2 standard errors"], ["line", "limit", "the limit equation at this width"], ["dash", "data", "at widths 10 and 10 000"], ["line", "wide", "linear network: p = ∞"]],
  *run({ exponent, width }) {
    const curves: number[][] = [];
    const exponents = grid(0.2, 1, 16);
    for (const each of [width, 10, 10_000]) {
      const y: number[] = [];
      for (const p of exponents) {
        y.push(limit(p, each));
        yield null;
      }
      curves.push(y);
    }
    const origin = { z: Math.atanh(RHO), first: 1, second: 1 };
    const network = new ShapedNetwork(rectifier(exponent, width), width, width, origin, new Normals(2, width));
    const found = new Float64Array(NETWORKS);
    const predicted = limit(exponent, width);
    const flat = expect(correlationLaws({ gap2: 0, b: 0, bend: 0 }, Math.atanh(RHO), [1])[0], Math.tanh);
    const view = (done: number): View => {
      const middle = told(found, done);
      return {
        numbers: { mean: middle.value, error: middle.error, limit: predicted, linear: flat },
        headline: exponent < 0.47 ? "Too little shaping: with more width the inputs become one" : exponent > 0.53 ? "Too much shaping: with more width the network becomes linear" : "Just right: the same law at every width",
        reasons: `At n = d = ${width} the mean correlation of networks is ${plusMinus(middle)}, from ${RHO} at the inputs; the limit equation says ${number(predicted)}. The slopes differ by 2 n⁻ᵖ = ${number(2 * width ** -exponent, 2)}, which counts ${number(width * (2 * width ** -exponent) ** 2, 1)} = n (2 n⁻ᵖ)² in the equation: this number keeps its size only at p = ½. A linear network has ${number(flat)}.`,
        panels: [{
          x: { label: "exponent p of shaping", range: [0.18, 1.02] }, y: { label: "mean correlation", range: [0.1, 1.02] },
          marks: [
            level("wide", flat, 0.18, 1.02),
            ...curves.slice(1).map((y) => ({ kind: "line" as const, role: "data" as const, x: exponents, y, dash: "5 4", width: 1.3 })),
            { kind: "line", role: "limit", x: exponents, y: curves[0], width: 2.5 },
            { kind: "dots", role: "network", x: [exponent], y: [middle.value], error: [middle.error] },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(8e4 / (width * width))), (i) => {
      network.start();
      for (let layer = 0; layer < width; layer++) network.step();
      found[i] = Math.tanh(network.z);
    }, view);
  },
};
