import { number } from "../../numbers";
import { Normals } from "../../random";
import { bars, deviation, share } from "../../statistics";
import type { Figure, View } from "../figure";
import { gather, grid, normalDensity, percent, positive, powers, told } from "../tools";

const NETWORKS = 1200;
/** Neurons of each network that the histogram counts. */
const COUNTED = 8;
const [LOW, HIGH, BINS] = [-5, 5, 50];
/** Standard deviations that count as far. */
const FAR = 3;
/** Variance of a neuron, and mean square after the activation, in the limit of both. */
const VARIANCE = Math.exp(0.5);
/** The bias of a finite width times the width, from the page. */
const BIAS = 0.5955;

export const figure: Figure = {
  name: "infinite-width", page: "book/residual/infinite-width",
  title: "One neuron of a deep network: how many neurons until it is Gaussian?",
  alt: "Histogram of a neuron in the last layer of ReLU residual networks of the chosen width and depth, and the normal law of infinite width. With few neurons the middle is too high and the tails are too heavy.",
  controls: [
    { key: "width", label: "width n", values: powers(0, 7), initial: 4 },
    { key: "depth", label: "depth L", values: powers(0, 7), initial: 32 },
  ],
  keys: [["box", "network", "networks"], ["line", "limit", "infinite depth and width, N(0, √e)"]],
  *run({ width, depth }) {
    const normals = new Normals(3, width);
    const x = new Float64Array(width);
    const counted = Math.min(COUNTED, width);
    const neurons = new Float64Array(NETWORKS * counted);
    const powersOf = new Float64Array(NETWORKS);
    // Of networks that are alive: half a network of one neuron is not.
    const logs: number[] = [];
    const grain = grid(LOW, HIGH, 100);
    const view = (done: number): View => {
      const square = told(powersOf, done);
      const spread = deviation(Float64Array.from(logs)).value;
      const seen = neurons.subarray(0, done * counted);
      const beyond = share(seen, (each) => Math.abs(each) > FAR * Math.sqrt(VARIANCE)).value;
      const drawn = bars(seen, LOW, HIGH, BINS);
      const relative = { value: square.value / (VARIANCE / 2) - 1, error: square.error / (VARIANCE / 2) };
      return {
        numbers: { bias: relative.value, error: relative.error, spread, beyond },
        headline: `Networks of width ${width} differ in their volatility by a factor of about ${number(Math.exp(spread), 2)}`,
        reasons: `This is e to the standard deviation of log s, which falls like 1/√n; infinite width takes s for a number. The mean of s² is off by ${percent(relative.value, 1)} ± ${percent(relative.error, 1)}; the error budget says ${percent(BIAS / width, 1)} for the width and ${percent(-1 / (8 * depth), 1)} for the depth, and the two add. ${percent(beyond, 2)} of the neurons are more than ${FAR} standard deviations away; a Gaussian one is with probability 0.27 %.`,
        panels: [{
          x: { label: "a neuron in the last layer", range: [LOW, HIGH] }, y: { label: "density", range: [0, 0.62] },
          marks: [
            { kind: "bars", role: "network", low: drawn.low, width: drawn.width, height: drawn.density },
            { kind: "line", role: "limit", x: grain, y: grain.map((z) => normalDensity(z, 0, VARIANCE)), width: 2.5 },
          ],
        }],
      };
    };
    yield* gather(NETWORKS, Math.max(1, Math.floor(2e5 / (width * depth))), (sample) => {
      normals.fill(x);
      for (let layer = 0; layer < depth; layer++) {
        const step = positive(x) / Math.sqrt(width * depth);
        for (let i = 0; i < width; i++) x[i] += step * normals.next();
      }
      neurons.set(x.subarray(0, counted), sample * counted);
      powersOf[sample] = positive(x) ** 2 / width;
      if (powersOf[sample] > 0) logs.push(Math.log(powersOf[sample]) / 2);
    }, view);
  },
};
