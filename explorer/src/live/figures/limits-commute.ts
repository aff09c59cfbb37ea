import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { gather, geometric, level, plusMinus, positive, told } from "../tools";

const DEPTHS = [4, 16, 64, 256, 1024];
const NETWORKS = 200;

/** Log growth of an infinitely wide network. */
const wide = (depth: number, exponent: number) => (depth / 2) * Math.log1p(depth ** (-2 * exponent) / 2);

export const figure: Figure = {
  name: "limits-commute", page: "book/residual/limits-commute",
  title: "Branches of size 1/Lᵞ: does the order of width and depth matter?",
  alt: "Mean log growth of the norm against the depth for networks of the chosen width, and for infinite width. With the exponent one half both stay together and level off. Below one half they part, the more so the narrower the network.",
  controls: [
    { key: "exponent", label: "exponent γ of the branch", values: [0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.75, 1], initial: 0.25, say: (value) => number(value, 2) },
    { key: "width", label: "width n", values: [4, 8, 16, 32, 64], initial: 4 },
  ],
  keys: [["dots", "network", "networks of this width, ± 2 standard errors"], ["dash", "wide", "infinite width first"]],
  *run({ exponent, width }) {
    const normals = new Normals(7, width);
    const x = new Float64Array(width);
    const found = DEPTHS.map(() => new Float64Array(NETWORKS));
    const depths = geometric(4, 1024, 60);
    const view = (done: number): View => {
      const known = found.map((each) => told(each, done));
      const last = known[DEPTHS.length - 1];
      const predicted = wide(1024, exponent);
      const apart = Math.abs(last.value - predicted);
      const values = [...known.map(({ value }) => value), predicted, 0];
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const room = 0.12 * Math.max(high - low, 0.2);
      return {
        numbers: { mean: last.value, error: last.error, wide: predicted },
        headline: exponent < 0.5 ? (last.value < 0 ? "The order matters, down to the sign" : "The order matters") : exponent === 0.5 ? "The order does not matter: only the width does" : "Nothing happens, in any order",
        reasons: `After 1024 layers the log norm of networks of width ${width} has changed by ${plusMinus(last)} in the mean; with infinite width it is ${number(predicted)}. ` +
          (exponent < 0.5 ? `The gap of ${number(apart, 2)} grows with L to the power ${number(1 - 2 * exponent, 2)}, over n.` : exponent === 0.5 ? "More layers do not widen the gap, and more neurons close it." : "Both go to 0 as the depth grows: the branches are too small to be noticed."),
        panels: [{
          x: { label: "depth L", range: [3.4, 1250], log: true, marks: DEPTHS.map((each) => [each, String(each)]) }, y: { label: "mean log growth", range: [low - room, high + room] },
          marks: [
            level("data", 0, 3.4, 1250),
            { kind: "line", role: "wide", x: depths, y: depths.map((each) => wide(each, exponent)), dash: "3 4", width: 3 },
            { kind: "line", role: "network", x: DEPTHS, y: known.map(({ value }) => value), width: 1.5 },
            { kind: "dots", role: "network", x: DEPTHS, y: known.map(({ value }) => value), error: known.map(({ error }) => error) },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, 1, (sample) => {
      DEPTHS.forEach((depth, k) => {
        do normals.fill(x); while (positive(x) === 0);
        const step = depth ** -exponent / Math.sqrt(width);
        let size = positive(x);
        let grown = 0;
        for (let layer = 0; layer < depth && size > 0; layer++) {
          for (let i = 0; i < width; i++) x[i] = x[i] / size + step * normals.next();
          size = positive(x);
          if (size > 0) grown += Math.log(size);
        }
        found[k][sample] = grown;
      });
    }, view);
  },
};
