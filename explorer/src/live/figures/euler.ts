import { number } from "../../numbers";
import { Normals } from "../../random";
import type { Figure, View } from "../figure";
import { gather, positive, powers, told } from "../tools";

/** Layers of the network that stands for the limit. */
const FINE = 4096;
const DEPTHS = powers(1, 8);
const NETWORKS = 300;

/** One network of every depth, and the finest, on the same noise; all begin at 1, -1, 1, ... */
class Coupled {
  readonly states: Float64Array[];
  private readonly sums: Float64Array[];
  private readonly noise: Float64Array;

  constructor(private readonly width: number, private readonly depths: readonly number[], private readonly normals: Normals) {
    const vector = () => new Float64Array(width);
    this.states = depths.map(vector);
    this.sums = depths.map(vector);
    this.noise = vector();
  }

  /** Walk through all layers; `see` looks at depth number k after each of its layers. */
  walk(see?: (k: number, time: number) => void): void {
    const { width, depths, states, sums, noise } = this;
    for (const state of states) state.forEach((_, i) => (state[i] = i % 2 ? -1 : 1));
    for (let step = 1; step <= FINE; step++) {
      this.normals.fill(noise);
      for (let k = 0; k < depths.length; k++) {
        for (let i = 0; i < width; i++) sums[k][i] += noise[i];
        if ((step * depths[k]) % FINE) continue;
        const size = positive(states[k]) / Math.sqrt(width * FINE);
        for (let i = 0; i < width; i++) states[k][i] += size * sums[k][i];
        sums[k].fill(0);
        see?.(k, step / FINE);
      }
    }
  }
}

export const figure: Figure = {
  name: "euler", page: "book/residual/euler",
  title: "The same noise, more layers: the network settles on one path",
  alt: "Paths of neurons of a ReLU residual network of the chosen depth as broken lines beside those of a network of 4096 layers on the same noise, and the distance between the two against the depth, which falls with slope minus one half.",
  controls: [
    { key: "depth", label: "depth L", values: DEPTHS, initial: 16 },
    { key: "width", label: "width n", values: [1, 2, 3, 5, 8], initial: 3 },
  ],
  keys: [["dots", "network", "network of this depth; distances of networks"], ["line", "limit", `the same network with ${FINE} layers`], ["dash", "data", "slope −1/2"]],
  *run({ depth, width }) {
    const seen = new Coupled(width, [depth, FINE], new Normals(4, 1));
    const paths = [depth, FINE].map(() => ({ time: [0], value: Array.from({ length: Math.min(width, 3) }, (_, i) => [i % 2 ? -1 : 1]) }));
    seen.walk((k, time) => {
      if (k === 1 && (time * 512) % 1) return;
      paths[k].time.push(time);
      paths[k].value.forEach((each, i) => each.push(seen.states[k][i]));
    });
    const every = new Coupled(width, [...DEPTHS, FINE], new Normals(5, 1));
    const squares = DEPTHS.map(() => new Float64Array(NETWORKS));
    const drawn = paths.flatMap(({ value }) => value.flat());
    const [least, most] = [Math.min(...drawn), Math.max(...drawn)];
    const view = (done: number): View => {
      const known = squares.map((each) => told(each, done));
      const distances = known.map(({ value }) => Math.sqrt(value));
      const at = DEPTHS.indexOf(depth);
      const root = (scale: number) => DEPTHS.map((L) => scale / Math.sqrt(L));
      const scale = distances[4] * Math.sqrt(DEPTHS[4]);
      return {
        numbers: { distance: distances[at], square: known[at].value, error: known[at].error },
        headline: `${depth} layers are ${number(distances[at])} away from the limit`,
        reasons: `That is the root of the mean square over ${NETWORKS} networks of ${width} ${width === 1 ? "neuron" : "neurons"}, path by path on the same noise. Four times as many layers halve it: at ${DEPTHS[DEPTHS.length - 1]} layers it is ${number(distances[distances.length - 1])}. No width had to be large for this.`,
        panels: [
          { title: "neurons of one network", x: { label: "layer / depth", range: [0, 1] }, y: { label: "state", range: [least - 0.1, most + 0.1] },
            marks: [
              ...paths[1].value.map((y) => ({ kind: "line" as const, role: "limit" as const, x: paths[1].time, y, width: 1.3 })),
              ...paths[0].value.flatMap((y) => [
                { kind: "line" as const, role: "network" as const, x: paths[0].time, y, width: 1.6 },
                ...(depth <= 32 ? [{ kind: "dots" as const, role: "network" as const, x: paths[0].time, y }] : []),
              ]),
            ] },
          { title: "distance of all depths", x: { label: "depth L", range: [1.6, 320], log: true }, y: { label: "distance", range: [0.02, 2], log: true },
            marks: [
              { kind: "line", role: "data", x: DEPTHS, y: root(scale), dash: "4 4", width: 1.5 },
              { kind: "dots", role: "network", x: DEPTHS, y: distances },
              { kind: "line", role: "network", x: [depth, depth], y: [0.02, distances[at]], width: 1.5 },
            ] },
        ],
      };
    };
    yield* gather(NETWORKS, 2, (sample) => {
      every.walk();
      const limit = every.states[DEPTHS.length];
      squares.forEach((each, k) => {
        let sum = 0;
        for (let i = 0; i < width; i++) sum += (every.states[k][i] - limit[i]) ** 2 / width;
        each[sample] = sum;
      });
    }, view);
  },
};
