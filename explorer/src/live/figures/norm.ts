import { plain, shapedSmooth } from "../../activations";
import { cdf, normLaws, quantile } from "../../densities";
import { ShapedNetwork } from "../../networks";
import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { explodes } from "../laws";
import { walk } from "../pair";
import { gather, grid, percent } from "../tools";

const WIDTH = 64;
const TIME = 3;
const NETWORKS = 300;
const DRAWN = 14;
const MARKS = 48;
/** A norm above this counts as exploded: a network of finite width only grows fast. */
const MOST = 8;

/** A network with this b: SiLU has kappa 3/4, tanh has -2, and b = kappa / a^2. */
function activation(b: number) {
  if (b > 0) return { name: "SiLU", a: Math.sqrt(0.75 / b), phi: shapedSmooth("silu(x)", Math.sqrt(0.75 / b), WIDTH) };
  if (b < 0) return { name: "tanh", a: Math.sqrt(-2 / b), phi: shapedSmooth("tanh(x)", Math.sqrt(-2 / b), WIDTH) };
  return { name: "no activation", a: Infinity, phi: plain("x") };
}

const fate = (b: number) => (b > 0 ? "the norm can explode" : b >= -1 ? "the norm vanishes" : "the norm settles");

export const figure: Figure = {
  name: "norm", page: "book/stability/norm",
  title: "One number b decides what becomes of the norm",
  alt: "The squared norm of one input against depth over width, on a logarithmic axis, in a few networks, with the band that holds 90 percent of the limit. For positive b some paths leave the picture upwards, for b between minus one and zero all sink, below minus one they fluctuate around a value below 1.",
  controls: [
    { key: "b", label: "b", values: [-8, -4, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.5, 2], initial: 0.75, say: (value) => number(value, 2) },
    { key: "start", label: "squared norm of the input", values: [0.1, 0.2, 0.5, 0.7, 1, 1.4, 2, 3, 5], initial: 1, say: (value) => number(value, 1) },
  ],
  keys: [["line", "network", `networks of width ${WIDTH}`], ["band", "limit", "limit: 90 % of the paths, and the median"], ["dash", "wide", "infinite width"]],
  *run({ b, start }) {
    const { name, a, phi } = activation(b);
    const network = new ShapedNetwork(phi, WIDTH, WIDTH * TIME, { z: 0, first: start, second: start }, new Normals(20, 1));
    const times = grid(0, TIME, 24);
    yield null;
    const laws = normLaws({ gap2: 0, b, bend: 0 }, start, times.slice(1));
    yield null;
    const quantiles = [0.05, 0.5, 0.95].map((p) => [start, ...laws.map((law) => Math.min(Math.exp(Math.SQRT2 * quantile(law, p)), 1e4))]);
    const gone = laws.map((law) => 1 - cdf(law)(Infinity));
    const above = 1 - cdf(laws[laws.length - 1])(Math.log(MOST) / Math.SQRT2);
    const wide = times.map((t) => { const inverse = 1 + (1 / start - 1) * Math.exp(b * t); return inverse > 0 ? 1 / inverse : NaN; });
    const ever = explodes(b, start);
    const layers = grid(0, TIME, MARKS);
    const paths: number[][] = [];
    let count = 0;
    const view = (done: number): View => {
      const share = count / done;
      return {
        numbers: { ever, exploded: b > 0 ? gone[gone.length - 1] : 0, above, share, error: Math.sqrt(Math.max(share * (1 - share), 1 / done) / done), median: quantiles[1][24] },
        headline: `b = ${number(b, 2)}: ${fate(b)}${b > 0 ? `, with probability ${percent(ever)}` : ""}`,
        reasons: (b > 0 ? `By depth ${TIME} n it has done so with probability ${percent(gone[gone.length - 1])}. ` : b >= -1 ? "The typical norm shrinks for ever, though its mean need not. " : `Its mean tends to ${percent(1 + 1 / b)} of 1, the value of infinite width. `) +
          `Above ${MOST} are then ${percent(share, 1)} of ${done} networks of width ${WIDTH} and ${percent(above, 1)} of the limit` + (b === 0 ? " (a linear network)." : `. (${name} with a = ${number(a, 2)}, as b = κ/a².)`),
        panels: [{
          x: { label: "depth over width", range: [0, TIME] }, y: { label: "squared norm", range: [0.01, 100], log: true },
          marks: [
            { kind: "band", role: "limit", x: times, low: quantiles[0], high: quantiles[2], opacity: 0.18 },
            ...paths.map((y) => ({ kind: "line" as const, role: "network" as const, x: layers, y, width: 1.1, opacity: 0.8 })),
            { kind: "line", role: "limit", x: times, y: quantiles[1], width: 2.5 },
            { kind: "line", role: "wide", x: times, y: wide, dash: "3 4", width: 3 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, 2, (i) => {
      const path: number[] = [];
      walk(network, MARKS, () => path.push(network.first < 1e6 ? network.first : NaN));
      if (i < DRAWN) paths.push(path);
      if (!(network.first <= MOST)) count++;
    }, view);
  },
};
