import { constants, shapedSmooth } from "../../activations";
import { shapedKernel } from "../../kernels";
import { ShapedNetwork } from "../../networks";
import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { near } from "../laws";
import { walk } from "../pair";
import { gather, grid, plusMinus, told } from "../tools";

const TEXTS = ["silu(x)", "gelu(x)", "tanh(x)"];
const SHOWN = ["SiLU", "GELU", "tanh"];
const WIDTH = 40;
const TIME = 4;
const NETWORKS = 300;
const DRAWN = 10;
const MARKS = 80;
/** A norm above this counts as exploded. */
const MOST = 8;

export const figure: Figure = {
  name: "smooth", page: "book/shaped/smooth",
  title: "Smooth shaping: where do correlations go?",
  alt: "Correlation of two inputs against depth over width, up to 4, in a few networks of width 40 until one of their norms explodes, and at infinite width. For SiLU and GELU the curve of infinite width goes to one half from wherever it began; for tanh it does not move.",
  controls: [
    { key: "activation", label: "activation", values: [0, 1, 2], names: SHOWN, initial: 0 },
    { key: "rho", label: "correlation of the inputs", values: [-0.9, -0.6, -0.3, 0, 0.3, 0.5, 0.7, 0.9, 0.97], initial: -0.6, say: (value) => number(value, 2) },
  ],
  keys: [["line", "network", `networks of width ${WIDTH}, until a norm is above ${MOST}`], ["dash", "wide", "infinite width"], ["line", "data", "one half"]],
  *run({ activation, rho }) {
    const text = TEXTS[activation];
    const phi = shapedSmooth(text, 1, WIDTH);
    const limiting = constants(text, phi, 1, WIDTH);
    const origin = { z: Math.atanh(rho), first: 1, second: 1 };
    const network = new ShapedNetwork(phi, WIDTH, WIDTH * TIME, origin, new Normals(9, activation));
    const wide = shapedKernel(limiting, origin, TIME, MARKS).map(({ z }) => Math.tanh(z));
    const times = grid(0, TIME, MARKS);
    const first = new Float64Array(NETWORKS);
    const paths: number[][] = [];
    let exploded = 0;
    const early = MARKS / 8;
    const view = (done: number): View => {
      const begun = told(first, done);
      const end = wide[MARKS];
      return {
        numbers: { wide: end, early: begun.value, error: begun.error, exploded: exploded / done, b: limiting.b },
        headline: limiting.bend > 0 ? `Infinite width takes ${number(rho, 2)} to ${near(end)}, on its way to one half and not to one` : `Infinite width leaves ${near(end)} where it was`,
        reasons: (limiting.bend > 0 ? `${SHOWN[activation]} has a second derivative, and norms that stay at 1 pull every correlation to one half.` : "tanh has no second derivative at 0, so shaping does not move a correlation; the noise of the linear network does.") +
          ` At depth ${number(TIME / 8, 1)} n the mean of ${done} networks is ${plusMinus(begun)}. By depth ${TIME} n a norm has passed ${MOST} in ${exploded} of them` + (limiting.b > 0 ? `: b = ${number(limiting.b, 2)} is positive, and norms can explode.` : ": b is negative, and norms cannot explode."),
        panels: [{
          x: { label: "depth over width", range: [0, TIME] }, y: { label: "correlation", range: [-1, 1.02] },
          marks: [
            { kind: "line", role: "data", x: [0, TIME], y: [0.5, 0.5], width: 1 },
            ...paths.map((y) => ({ kind: "line" as const, role: "network" as const, x: times, y, width: 1.1, opacity: 0.75 })),
            { kind: "line", role: "wide", x: times, y: wide, dash: "3 4", width: 3 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, 2, (i) => {
      const path: number[] = [];
      let gone = false;
      walk(network, MARKS, (k) => {
        gone ||= !(network.first <= MOST && network.second <= MOST);
        path.push(gone ? NaN : Math.tanh(network.z));
        if (k === early) first[i] = Math.tanh(network.z);
      });
      if (gone) exploded++;
      if (i < DRAWN) paths.push(path);
    }, view);
  },
};
