/** Two kinds of plots: paths along the depth, and a law at the last layer. */
import { type Axis, Plot } from "./canvas";
import type { Comparison, Report } from "./experiment";
import { round, superscript } from "./numbers";

/** Errors are shown as this many standard errors to either side. */
const ERRORS = 2;
/** Means along the depth that are marked. */
const MARKED = 8;

/** Layers along a horizontal axis. */
function along(layers: readonly number[], breadth: number): Axis {
  const last = layers[layers.length - 1];
  return { range: [0, last], label: "layer", marks: round([0, last], Math.min(breadth / 44, 8, last)) };
}

/** A few places along the depth at which something is marked. */
function marked(layers: readonly number[], mark: (k: number) => void): void {
  const count = Math.min(MARKED, layers.length - 1);
  for (let i = 1; i <= count; i++) mark(Math.round((i * (layers.length - 1)) / count));
}

/** Correlation against layer. */
export class Paths extends Plot {
  private report: Report | null = null;

  show(report: Report): void {
    this.report = report;
    this.redraw();
  }

  protected draw(): void {
    if (!this.report) return;
    const { layers, paths, limit, means, wide } = this.report;
    const all = [...paths.network, ...paths.limit, limit.low].flat().filter(Number.isFinite);
    const low = Math.max(-1, Math.floor(5 * Math.min(...all)) / 5);
    const down: Axis = { range: [low, 1.02], label: "correlation", marks: round([low, 1], 5) };
    this.frame(along(layers, this.breadth), down, () => {
      this.pen("limit", 0.18);
      this.area(layers, limit.low, limit.high);
      this.pen("limit", 0.6, 1, [4, 3]);
      for (const path of paths.limit) this.line(layers, path);
      this.pen("network", 0.6);
      for (const path of paths.network) this.line(layers, path);
      this.pen("limit", 1, 2.5);
      this.line(layers, limit.mean);
      this.pen("wide", 1, 3, [3, 4]);
      this.line(layers, wide);
      this.pen("network", 1, 1.5);
      marked(layers, (k) => {
        const error = ERRORS * means.error[k];
        this.error(layers[k], means.value[k] - error, means.value[k] + error);
        this.dot(layers[k], means.value[k]);
      });
    });
  }
}

/** Decimal logarithms of squared norms, with what has left the numbers at the edges. */
const logs = (norms: readonly number[]) => norms.map((norm) => (norm === Infinity ? 400 : Math.max(Math.log10(norm), -400)));

/** The squared norm of the first input against layer, on a logarithmic axis. */
export class Norms extends Plot {
  private report: Report | null = null;

  show(report: Report): void {
    this.report = report;
    this.redraw();
  }

  protected draw(): void {
    if (!this.report) return;
    const { layers, norms } = this.report;
    const [low, middle, high] = norms.quantiles.map(logs);
    const limit = norms.limit?.map(logs);
    const drawn = [...low, ...high, ...(limit ? [...limit[0], ...limit[2]] : []), ...logs(norms.wide)].filter((each) => Math.abs(each) < 300);
    // An explosion leaves the picture: three powers of ten above the start are enough to see it go.
    const top = this.report.explosion ? Math.min(Math.max(...drawn), 2) : Math.max(...drawn);
    const range: [number, number] = [Math.floor(Math.min(...drawn, -0.1)), Math.ceil(Math.max(top, 0.1))];
    const marks = round(range, 5).filter(([power]) => Number.isInteger(power))
      .map(([power]): Mark => [power, Math.abs(power) < 4 ? String(Number((10 ** power).toPrecision(1))) : `10${superscript(power)}`]);
    this.frame(along(layers, this.breadth), { range, label: "squared norm", marks }, () => {
      if (limit) {
        this.pen("limit", 0.18);
        this.area(layers, limit[0], limit[2]);
      }
      this.pen("network", 0.6);
      for (const path of norms.network) this.line(layers, path.map((norm) => Math.log10(norm)));
      if (limit) {
        this.pen("limit", 1, 2.5);
        this.line(layers, limit[1]);
      }
      this.pen("wide", 1, 3, [3, 4]);
      this.line(layers, norms.wide.map((norm) => (norm < Infinity ? Math.log10(norm) : NaN)));
      this.pen("network", 1, 1.5);
      marked(layers, (k) => {
        this.error(layers[k], low[k], high[k]);
        this.dot(layers[k], middle[k]);
      });
    });
  }
}

type Mark = readonly [place: number, text: string];

/** The horizontal axis of a law: what it is called, and where it may have marks, the first ones first. */
interface Scale {
  readonly label: string;
  readonly marks: readonly Mark[];
  /** What a place stands for, and back. */
  readonly value: (place: number) => number;
  readonly place: (value: number) => number;
}

/** With fewer marks than this an axis gets closer ones. */
const LEAST = 3;
/** How far apart round numbers are, in pixels: closer ones are tried where too few fit. */
const APART = [40, 28, 20];

const CORRELATIONS = [0.9, 0.99, 0.5, 0.999];
const GAPS = [-4, -6, -9, -12, -16, -20, -30, -50, -80, -120, -200, -300];
export const CORRELATION_SCALE: Scale = {
  label: "correlation in the last layer",
  value: Math.tanh,
  place: Math.atanh,
  marks: [
    [0, "0"],
    ...[1, -1].flatMap((sign) => [
      ...CORRELATIONS.map((rho): [number, string] => [sign * Math.atanh(rho), `${sign < 0 ? "−" : ""}${rho}`]),
      // Beyond, what is missing to 1 is written: artanh(1 - e) is close to log(2/e)/2.
      ...GAPS.map((p): [number, string] => [(sign * (Math.LN2 - p * Math.LN10)) / 2, `${sign < 0 ? "−" : ""}(1−10${superscript(p)})`]),
    ]),
  ],
};

const POWERS = [0, ...Array.from({ length: 20 }, (_, i) => [i + 1, -i - 1]).flat()];
export const NORM_SCALE: Scale = {
  label: "squared norm in the last layer",
  value: Math.exp,
  place: Math.log,
  marks: POWERS.map((power): Mark => [power * Math.LN10, Math.abs(power) < 3 ? String(10 ** power) : `10${superscript(power)}`]),
};
/** 2 and 5 between the powers of ten, near 1. */
const BETWEEN = [2, 0.5, 5, 0.2, 20, 0.05, 50, 0.02].map((norm): Mark => [Math.log(norm), String(norm)]);

/** A density: boxes for networks, a curve or a staircase for the limit, a line for infinite width. */
export class Density extends Plot {
  private comparison: Comparison | null = null;

  constructor(
    element: HTMLElement,
    private readonly scale: Scale,
  ) {
    super(element);
  }

  show(comparison: Comparison): void {
    this.comparison = comparison;
    this.redraw();
  }

  protected draw(): void {
    if (!this.comparison) return;
    const { bars, curve, steps, wide, enough } = this.comparison;
    const edges = Array.from({ length: bars.density.length + 1 }, (_, i) => bars.low + i * bars.width);
    const range: [number, number] = [bars.low, edges[edges.length - 1]];
    // The bars of few networks are high here and there: the scale follows the limit rather than them.
    const limit = Math.max(...(curve?.y ?? steps?.density ?? []), 0);
    const most = Math.max(...bars.density);
    // Where all of the limit, or of the networks, lies outside the axis, the axis follows what is there.
    const top = limit > 0.02 ? Math.min(Math.max(1.12 * limit, 1.08 * most), 1.5 * limit) : Math.max(1.08 * most, 0.1);
    const down: Axis = { range: [0, top], label: "density on this axis", marks: round([0, top], 5) };
    this.frame({ range, label: this.scale.label, marks: this.marks(range) }, down, () => {
      this.pen("network", 0.38);
      bars.density.forEach((height, i) => this.box(edges[i], edges[i + 1], height));
      this.pen("network", 0.9);
      bars.density.forEach((height, i) => {
        const error = ERRORS * bars.error[i];
        if (error > 0) this.error((edges[i] + edges[i + 1]) / 2, height - error, height + error);
      });
      this.pen("limit", 1, 2.5);
      if (curve) this.line(curve.x, curve.y);
      if (steps) this.line(edges.flatMap((x) => [x, x]).slice(1, -1), steps.density.flatMap((y) => [y, y]));
      this.pen("wide", 1, 3, [3, 4]);
      if (Number.isFinite(wide)) this.line([wide, wide], [0, top]);
      if (!enough) this.say("nothing is left to compare");
    });
  }

  /** Marks within the range: the usual ones and, where these are few, round numbers between them, or all round numbers. */
  private marks(range: [number, number]): Mark[] {
    const { scale } = this;
    const even = (apart: number) => round([scale.value(range[0]), scale.value(range[1])], this.breadth / apart).map(([value, text]): Mark => [scale.place(value), text]);
    const choices = [scale.marks, ...(scale === NORM_SCALE ? [[...scale.marks, ...BETWEEN]] : []), ...APART.map(even)].map((marks) => this.fitting(marks, range));
    return choices.find((marks) => marks.length >= LEAST) ?? choices.reduce((best, marks) => (marks.length > best.length ? marks : best));
  }

  /** The marks within the range, without those whose text would touch that of one before them. */
  private fitting(marks: readonly Mark[], [low, high]: [number, number]): Mark[] {
    const perPixel = (high - low) / this.breadth;
    const reach = (text: string) => (3.5 * text.length + 5) * perPixel;
    const kept: Mark[] = [];
    for (const [place, text] of marks) {
      const free = kept.every(([other, written]) => Math.abs(other - place) > reach(text) + reach(written));
      if (place >= low && place <= high && free) kept.push([place, text]);
    }
    return kept;
  }
}
