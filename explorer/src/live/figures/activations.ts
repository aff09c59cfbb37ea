import { parse, variable } from "../../formula";
import { number } from "../../numbers";
import type { Figure } from "../figure";
import { grid, percent } from "../tools";
import { explodes } from "../laws";

const CHOICES = [["SiLU", "silu(x)"], ["GELU", "gelu(x)"], ["tanh", "tanh(x)"], ["sigmoid", "sigmoid(x)"], ["softplus", "softplus(x)"], ["Mish", "mish(x)"], ["erf", "erf(x)"], ["sin", "sin(x)"], ["arctan", "atan(x)"]] as const;
const CENTRES = grid(-3, 3, 48);

/** kappa of an activation that is expanded around a centre: 3/4 (f''/f')^2 + f'''/f'. */
function kappa(formula: ReturnType<typeof parse>, centre: number): number {
  const [, slope, second, third] = formula(variable(centre));
  return 0.75 * (second / slope) ** 2 + third / slope;
}

export const figure: Figure = {
  name: "activations", page: "book/stability/activations",
  title: "The same activation, another centre: does the norm explode?",
  alt: "The constant kappa of the chosen activation against the point around which it is expanded, with the chosen centre as a dot. Above zero the norm explodes with positive probability, below it does not; the curve crosses zero for most activations.",
  controls: [
    { key: "activation", label: "activation", values: CHOICES.map((_, i) => i), names: CHOICES.map(([name]) => name), initial: 0 },
    { key: "centre", label: "centre x₀", values: CENTRES, initial: 0, say: (value) => number(value, 3) },
  ],
  keys: [["line", "network", "κ against the centre"], ["band", "limit", "explosion possible, κ > 0"]],
  *run({ activation, centre }) {
    const [name, text] = CHOICES[activation];
    const formula = parse(text);
    const x = grid(-3, 3, 240);
    const y = x.map((each) => { const found = kappa(formula, each); return Math.abs(found) < 60 ? found : NaN; });
    const here = kappa(formula, centre);
    const [, slope] = formula(variable(centre));
    const origin = kappa(formula, 0);
    const gone = explodes(here, 1);
    const usable = Number.isFinite(here) && Math.abs(slope) > 1e-6;
    yield {
      numbers: { kappa: here, explodes: gone },
      headline: !usable ? `${name} is flat at ${number(centre)}: it cannot be shaped there` : here > 0 ? `${name} around ${number(centre)}: κ = ${number(here)}, the norm can explode` : `${name} around ${number(centre)}: κ = ${number(here)}, no explosion`,
      reasons: !usable ? "Shaping divides by the slope at the centre." :
        (here > 0 ? `With a = 1 a norm of 1 explodes with probability ${percent(gone)}. ` : here < -1 ? "With a = 1 the norm settles to a stationary law. " : "With a = 1 the norm vanishes; with a smaller a, below √−κ, it would settle. ") +
        `At the centre 0 it is ${Number.isFinite(origin) ? number(origin) : "not defined"}` + (Number.isFinite(origin) && origin > 0 !== here > 0 ? ": the centre alone has turned the verdict round." : "."),
      panels: [{
        x: { label: "centre x₀", range: [-3, 3] }, y: { label: "κ", range: [-6, 8] },
        marks: [
          { kind: "band", role: "limit", x: [-3, 3], low: [0, 0], high: [8, 8], opacity: 0.1 },
          { kind: "line", role: "data", x: [-3, 3], y: [0, 0], width: 1 },
          { kind: "line", role: "network", x, y, width: 2.5 },
          { kind: "dots", role: "network", x: [centre], y: [here] },
          { kind: "line", role: "network", x: [centre, centre], y: [0, here], width: 1.5 },
        ],
      }],
    };
  },
};
