import { number } from "../../numbers";
import type { Figure, Mark } from "../figure";
import { level } from "../tools";
import runs from "../training.json";

const OPTIMISERS = ["Adam", "stochastic gradient descent"] as const;

const middle = (losses: readonly number[][], k: number) => Math.exp(losses.reduce((sum, run) => sum + Math.log(run[k]) / losses.length, 0));

export const figure: Figure = {
  name: "training", page: "book/residual/training",
  title: "Networks of 20 layers learn digits: when do they leave the straight lines?",
  alt: "Loss on the images trained on against the steps, for six networks each by Adam and by stochastic gradient descent, up to the chosen step, with the least loss of an affine function. Adam comes down to that floor, slows down, and passes below it; gradient descent stays above.",
  controls: [
    { key: "step", label: "steps of training", values: runs.steps, initial: runs.steps[runs.steps.length - 1] },
    { key: "optimiser", label: "optimiser", values: [0, 1], names: OPTIMISERS, initial: 0 },
  ],
  keys: [["line", "network", "recorded runs: loss of each network"], ["line", "data", "runs of the other optimiser"], ["dash", "limit", "best affine function of the pixels"]],
  *run({ step, optimiser }) {
    const at = runs.steps.indexOf(step);
    const [own, others] = optimiser === 0 ? [runs.adam, runs.sgd] : [runs.sgd, runs.adam];
    const loss = middle(own, at);
    const passed = runs.steps.findIndex((_, k) => middle(own, k) < runs.floor);
    const { floor, steps } = runs;
    const line = (role: Mark["role"], run: number[], until: number): Mark => ({ kind: "line", role, x: steps.slice(0, until + 1), y: run.slice(0, until + 1), width: 1.4, opacity: role === "data" ? 0.45 : 0.9 });
    yield {
      numbers: { loss, floor },
      headline: loss < floor ? `${OPTIMISERS[optimiser] === "Adam" ? "Adam" : "Gradient descent"} has left the floor` : `After ${step} steps the loss is ${number(loss / floor, 2)} times the floor`,
      reasons: `No affine function of the pixels has a loss below ${number(floor)}. After ${step} steps that of ${own.length} networks of width and depth 20 is ${number(loss, 4)} (geometric mean)` +
        (loss < floor ? `: they compute what no affine function can. They passed the floor near step ${steps[passed]}.` : passed >= 0 ? "; they will pass it." : ", and in 3000 steps they do not pass it. In the limit of infinite width and depth no optimiser would."),
      panels: [{
        x: { label: "steps", range: [9, 3300], log: true }, y: { label: "loss", range: [0.006, 1], log: true },
        marks: [
          ...others.map((run) => line("data", run, at)),
          ...own.map((run) => line("network", run, at)),
          level("limit", floor, 9, 3300, "6 4"),
        ],
      }],
    };
  },
};
