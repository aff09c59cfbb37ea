import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { chiSquare, gather, grid, steps, told } from "../tools";

const MATRICES = 4000;
const MOST = 8;

/** Mean squared size of the answers for infinitely large matrices: the moments of Marchenko and Pastur. */
const catalan = (k: number): number => (k === 0 ? 1 : (catalan(k - 1) * 2 * (2 * k - 1)) / (k + 1));

export const figure: Figure = {
  name: "matrix", page: "book/own/matrix",
  title: "Ask a matrix, ask it back, ask it again: how large are the answers?",
  alt: "Mean squared size of the answers of a chain of questions, W then its transpose then W again, against the number of questions, on a logarithmic axis. With one matrix that is drawn only where one looks it grows like the Catalan numbers; with a transpose that is drawn anew each time it stays 1.",
  controls: [
    { key: "size", label: "rows and columns of W", values: [2, 4, 8, 16, 64, 256, 1024, 12288], initial: 1024, say: (value) => String(value) },
    { key: "questions", label: "questions", values: steps(MOST - 1).map((k) => k + 1), initial: 3, say: (value) => String(value) },
  ],
  keys: [["dots", "network", "one matrix, drawn only where one looks"], ["dash", "limit", "infinitely large: Catalan numbers"], ["line", "control", "a transpose drawn anew"]],
  *run({ size, questions }) {
    const normals = new Normals(22, size);
    const found = steps(MOST).map(() => new Float64Array(MATRICES));
    const fresh = steps(MOST).map(() => new Float64Array(MATRICES));
    const view = (done: number): View => {
      const known = found.map((each) => told(each, done));
      const anew = fresh.map((each) => told(each, done));
      const [here, other] = [known[questions], anew[questions]];
      const entries = questions * size;
      return {
        numbers: { mean: here.value, error: here.error, fresh: other.value, catalan: catalan(questions) },
        headline: `After ${questions} ${questions === 1 ? "question" : "questions"} the squared size is ${number(here.value, 2)}; with a transpose drawn anew ${number(other.value, 2)}`,
        reasons: `That is the mean over ${done} matrices with entries of variance 1/n, n = ${size}. For infinitely large ones it is ${catalan(questions)}. The ${number(size * size, 0)} entries were never drawn: a chain of questions needs about ${number(Math.min(entries, size * size), 0)} numbers, and its sizes alone only ${2 * questions}.` + (questions > 1 ? " Who draws W and its transpose apart gets a network that does not exist." : " The first answer cannot tell: the way back can."),
        panels: [{
          x: { label: "questions", range: [0, MOST + 0.3] }, y: { label: "mean squared size", range: [0.5, 3000], log: true },
          marks: [
            { kind: "line", role: "limit", x: steps(MOST), y: steps(MOST).map(catalan), dash: "6 4" },
            { kind: "line", role: "control", x: steps(MOST), y: anew.map(({ value }) => value), width: 2.5 },
            { kind: "dots", role: "network", x: steps(MOST), y: known.map(({ value }) => value), error: known.map(({ error }) => error) },
            { kind: "line", role: "network", x: [questions, questions], y: [0.5, here.value], width: 1.5 },
          ],
        }],
      };
    };
    // In the bases that the answers build up, the matrix has two diagonals of independent chi variables.
    yield* gather(MATRICES, 200, (i) => {
      const side = Math.min(MOST, size) + 1;
      const own = grid(0, side - 1, side - 1).map((k) => Math.sqrt(chiSquare(size - k, normals) / size));
      const next = own.map((_, k) => Math.sqrt(chiSquare(size - k - 1, normals) / size));
      let right = new Float64Array(side + 1);
      let left = new Float64Array(side + 1);
      right[0] = 1;
      let anew = 1;
      found[0][i] = fresh[0][i] = 1;
      for (let question = 1; question <= MOST; question++) {
        if (question % 2) left = left.map((_, k) => (k < side ? own[k] * right[k] + next[k] * right[k + 1] : 0));
        else right = right.map((_, k) => (k < side ? own[k] * left[k] : 0) + (k > 0 ? next[k - 1] * left[k - 1] : 0));
        anew *= chiSquare(size, normals) / size;
        fresh[question][i] = anew;
        found[question][i] = (question % 2 ? left : right).reduce((sum, each) => sum + each * each, 0);
      }
    }, view);
  },
};
