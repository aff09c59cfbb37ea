/** From a setting to its processes: the network, its limit, and the infinitely wide network. */
import { type Constants, constants, plain, shapedRectifier, shapedSmooth } from "./activations";
import { PairDiffusion } from "./diffusions";
import { residualKernel, shapedKernel } from "./kernels";
import { type Place, type Process, ResidualNetwork, ShapedNetwork } from "./networks";
import { Normals } from "./random";
import { type State, correlation } from "./state";

/** Steps of a limit that is simulated. */
const SHAPED_STEPS = 256;
const RESIDUAL_STEPS = 512;

export interface Pair {
  readonly network: Process;
  readonly limit: Process;
  /** Infinite width, at equidistant times. */
  readonly wide: Place[];
  /** What is left of a shaping in the limit. */
  readonly constants: Constants | null;
}

/** depth/width for shaped networks; residual networks cover one unit of time. */
export function time(state: State): number {
  return state.network === "shaped" ? state.depth / state.width : 1;
}

/** The processes of a setting; `records` is the number of times at which infinite width is wanted. */
export function build(state: State, records: number): Pair {
  const origin: Place = { z: Math.atanh(correlation(state)), first: state.norm, second: state.norm };
  const { width, depth, activation: name } = state;
  const [own, others] = [new Normals(state.seed, 1), new Normals(state.seed, 2)];
  if (state.network === "residual") {
    const inner = plain(name as "relu" | "tanh" | "linear");
    return {
      network: new ResidualNetwork(inner, width, depth, origin, own),
      limit: new ResidualNetwork(inner, width, RESIDUAL_STEPS, origin, others),
      wide: residualKernel(name as "relu" | "tanh" | "linear", origin, records),
      constants: null,
    };
  }
  const activation =
    name === "relu" || name === "linear"
      ? shapedRectifier(state.plus, state.minus, width)
      : shapedSmooth(name, state.a, width);
  const limiting = constants(name, activation, state.a, width);
  return {
    network: new ShapedNetwork(activation, width, depth, origin, own),
    limit: new PairDiffusion(limiting, time(state), SHAPED_STEPS, origin, others),
    wide: shapedKernel(limiting, origin, time(state), records),
    constants: limiting,
  };
}
