/** From a setting to its processes: the network, its limit, and the infinitely wide network. */
import { type Constants, constants, plain, shapedRectifier, shapedSmooth, textOf } from "./activations";
import { PairDiffusion } from "./diffusions";
import { plainKernel, residualKernel, shapedKernel } from "./kernels";
import { type Place, PlainNetwork, type Process, ResidualNetwork, ShapedNetwork } from "./networks";
import { Normals } from "./random";
import { type State, correlation } from "./state";

/** Steps of a limit that is simulated: at least so many, and so many in a unit of time. */
const SHAPED_STEPS = 256;
const STEPS_PER_TIME = 32;
const RESIDUAL_STEPS = 512;

export interface Pair {
  readonly network: Process;
  /** None where depth over width decides nothing: a network that is not shaped. */
  readonly limit: Process | null;
  /** Infinite width, at equidistant times. */
  readonly wide: Place[];
  /** What is left of a shaping in the limit. */
  readonly constants: Constants | null;
}

/** depth/width for fully connected networks; residual networks cover one unit of time. */
export function time(state: State): number {
  return state.network === "residual" ? 1 : state.depth / state.width;
}

/** What is left of the shaping of a state in its limit; nothing for networks that are not shaped. */
export function limiting(state: State): Constants | null {
  if (state.network !== "shaped") return null;
  const text = textOf(state.activation, state.formula);
  return constants(text, shaped(state), state.a, state.width);
}

function shaped({ activation, formula, plus, minus, a, width }: State) {
  return activation === "relu" || activation === "linear" ? shapedRectifier(plus, minus, width) : shapedSmooth(textOf(activation, formula), a, width);
}

/** The processes of a setting; `records` is the number of times at which infinite width is wanted. */
export function build(state: State, records: number): Pair {
  const origin: Place = { z: Math.atanh(correlation(state)), first: state.norm, second: state.norm };
  const { width, depth, gain, bias } = state;
  const [own, others] = [new Normals(state.seed, 1), new Normals(state.seed, 2)];
  if (state.network === "shaped") {
    const [activation, left] = [shaped(state), limiting(state)!];
    const end = time(state);
    return {
      network: new ShapedNetwork(activation, width, depth, origin, own),
      limit: new PairDiffusion(left, end, Math.max(SHAPED_STEPS, Math.ceil(STEPS_PER_TIME * end)), origin, others),
      wide: shapedKernel(left, origin, end, records),
      constants: left,
    };
  }
  const activation = plain(textOf(state.activation, state.formula));
  if (state.network === "plain") {
    return {
      network: new PlainNetwork(activation, width, depth, origin, own, gain, bias),
      limit: null,
      wide: plainKernel(activation, gain, bias, origin, depth, records),
      constants: null,
    };
  }
  return {
    network: new ResidualNetwork(activation, width, depth, origin, own, gain),
    limit: new ResidualNetwork(activation, width, RESIDUAL_STEPS, origin, others, gain),
    wide: residualKernel(activation, gain, origin, records),
    constants: null,
  };
}
