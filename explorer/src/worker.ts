/** The simulation, beside the page: it works in short slices, so that a new setting is taken up at once. */
import { constants, shapedRectifier, shapedSmooth, textOf } from "./activations";
import { correlationLaws, normLaws } from "./densities";
import { Experiment, type Report } from "./experiment";
import { parse, variable } from "./formula";
import { build } from "./pairs";
import { Normals } from "./random";
import { DEFAULTS, type State, settle } from "./state";

export type Request =
  | { kind: "run"; id: number; state: State }
  | { kind: "call"; id: number; name: keyof typeof CALLS; argument: never };
export type Answer = { kind: "report"; id: number; report: Report } | { kind: "value"; id: number; value: unknown };

/** Milliseconds of simulation between two looks at the messages, and between two reports. */
const SLICE = 12;
const BETWEEN_REPORTS = 30;
/** Networks before the first report, and those that will do if they take longer than this. */
const LEAST = 12;
const FEWEST = 4;
const PATIENCE = 300;

interface Setting extends Partial<State> {
  readonly samples?: number;
}

/** Raw numbers of each process, for the tests against the Python engine and for a curious console. */
const CALLS = {
  normals: ({ seed = 1, samples = 1000 }: Setting) => {
    const target = new Float64Array(samples);
    new Normals(seed, 0).fill(target);
    return target;
  },
  /** Final places of networks or of their limit, as (z, V1, V2). */
  sample: ({ samples = 1000, limit, ...given }: Setting & { limit?: boolean }) => {
    const pair = build(settle({ ...DEFAULTS, ...given }), 1);
    const process = (limit && pair.limit) || pair.network;
    const found = new Float64Array(3 * samples);
    for (let i = 0; i < samples; i++) {
      process.start();
      for (let k = 0; k < process.steps; k++) process.step();
      found.set([process.z, process.first, process.second], 3 * i);
    }
    return found;
  },
  wide: (given: Setting) => build(settle({ ...DEFAULTS, ...given }), 16).wide,
  correlationLaw: ({ gap2, rho, time }: { gap2: number; rho: number; time: number }) =>
    correlationLaws({ gap2, b: 0, bend: 0 }, Math.atanh(rho), [time])[0],
  normLaw: ({ b, norm, time }: { b: number; norm: number; time: number }) =>
    normLaws({ gap2: 0, b, bend: 0 }, norm, [time])[0],
  constants: ({ activation = "relu", formula = "", plus = 0, minus = 0, a = 1, width = 1 }: Setting) => {
    const text = textOf(activation, formula);
    const shaped = activation === "relu" ? shapedRectifier(plus, minus, width) : shapedSmooth(text, a, width);
    return { ...constants(text, shaped, a, width), normaliser: shaped.normaliser };
  },
  /** Value and three derivatives of a formula, or what is wrong with it. */
  formula: ({ text, x }: { text: string; x: number }) => {
    try {
      return [...parse(text)(variable(x))];
    } catch (error) {
      return (error as Error).message;
    }
  },
};

let running: { id: number; state: State; experiment: Experiment | null } | null = null;
let reported = 0;
let started = 0;

// A message to oneself comes after the messages that wait, and without the delay of a timer.
const { port1, port2 } = new MessageChannel();
port1.onmessage = slice;

function slice(): void {
  if (!running) return;
  const began = performance.now();
  const experiment = (running.experiment ??= new Experiment(running.state));
  while (!experiment.finished && performance.now() - began < SLICE) experiment.advance();
  const now = performance.now();
  const ready = experiment.done >= (now - started > PATIENCE ? FEWEST : LEAST);
  if (experiment.finished || (ready && now - reported > BETWEEN_REPORTS)) {
    reported = performance.now();
    postMessage({ kind: "report", id: running.id, report: experiment.report() } satisfies Answer);
  }
  if (experiment.finished) running = null;
  else port2.postMessage(null);
}

onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.kind === "call") {
    const call = CALLS[data.name] as (argument: unknown) => unknown;
    postMessage({ kind: "value", id: data.id, value: call(data.argument) } satisfies Answer);
    return;
  }
  const idle = running === null;
  running = { id: data.id, state: data.state, experiment: null };
  reported = 0;
  started = performance.now();
  if (idle) port2.postMessage(null);
};
