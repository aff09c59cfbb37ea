/** One explorer on a page: controls, plots, verdict, table. */
import { controls, element } from "./controls";
import { EXPLODED, type Report } from "./experiment";
import { CORRELATION_SCALE, Density, NORM_SCALE, Norms, Paths } from "./plots";
import { number } from "./numbers";
import type { Estimate } from "./statistics";
import { Simulation } from "./simulation";
import { DEFAULTS, PRESETS, type State, fromText, isState, toText } from "./state";
import { type Finding, aboutCorrelation, aboutNorm, estimate, near1, percent, sentence, setting } from "./words";

const CONTROLS = ["network", "activation", "formula", "width", "depth", "plus", "minus", "a", "gain", "bias", "digits", "rho", "norm"];
const PANELS = ["paths", "correlation", "norms", "norm"] as const;
type Panel = (typeof PANELS)[number];

/** Milliseconds after the last change until the address follows: browsers limit how often it may. */
const SETTLED = 400;

let count = 0;

/** What a legend says: the mark, its role and its meaning; and its meaning where some norms have exploded. */
const FEW = `with norms at most ${EXPLODED}`;
const LAW: [mark: string, text: string, few?: string][] = [
  ["box network", "networks, ± 2 standard errors"], ["thick limit", "limit"], ["dots wide", "infinite width"],
];
const KEYS: Record<Panel, typeof LAW> = {
  paths: [
    ["line network", "networks", "networks, also with larger norms"],
    ["dot network", "mean of all networks, ± 2 standard errors", `mean of networks ${FEW}, ± 2 standard errors`],
    ["dash limit", "paths of the limit", "paths of the limit until they explode"],
    ["band limit", "limit: mean, and 90 % of all paths", `limit: mean, and 90 % of the paths ${FEW}`],
    ["dots wide", "infinite width"],
  ],
  correlation: [
    ["box network", "networks, ± 2 standard errors", `networks ${FEW}, ± 2 standard errors`],
    ["thick limit", "limit", `limit ${FEW}`], LAW[2],
  ],
  norms: [
    ["line network", "networks"], ["dot network", "median of networks, and 90 %"],
    ["band limit", "limit: median, and 90 %"], ["dots wide", "infinite width"],
  ],
  norm: LAW,
};

const TITLES: Record<Panel, string> = {
  paths: "The correlation along the depth",
  correlation: "The law of the correlation",
  norms: "The norm along the depth",
  norm: "The law of the norm",
};

export class Explorer {
  private state: State;
  private readonly simulation: Simulation;
  private readonly controls: ReturnType<typeof controls>;
  private readonly plots = new Map<Panel, Paths | Norms | Density>();
  private readonly progress = element("progress", { max: "1", value: "0", "aria-label": "networks simulated" });
  private readonly amount = element("span");
  private readonly verdicts = element("div", { class: "dlx-verdicts" });
  private readonly status = element("p", { role: "status", class: "dlx-hidden" });
  private readonly marked: [HTMLElement, string][] = [];
  private readonly legends: ((explodes: boolean) => void)[] = [];
  private readonly table = element("tbody");
  private report: Report | null = null;
  private current = false;
  private seen = false;
  private timer = 0;
  /** Whether the setting came from the address. */
  private read = true;
  private frame = 0;
  /** What the address said when it was last read or written here: anything else is news. */
  private known = location.hash.slice(1);
  /** What the address said of the setting when it last said something. */
  private written: string;

  /**
   * @param host gets the explorer; what it contains already is its static twin, kept for print
   * @param options `state` to begin with, `panels` and `controls` to show, whether it owns the page's `address`
   */
  constructor(
    private readonly host: HTMLElement,
    private readonly options: { state: string; panels: string[]; controls: string[]; address: boolean; home: string },
  ) {
    this.state = fromText(options.address && isState(this.known) ? this.known : options.state, this.origin());
    this.written = toText(this.state);
    const unique = `dlx${++count}`;
    this.simulation = new Simulation((report, current) => this.take(report, current));
    this.controls = controls(options.controls.length ? options.controls : CONTROLS, unique, () => this.state, (state) => this.set(state));
    this.assemble();
    if (options.address) addEventListener("hashchange", () => this.address());
    this.set(this.state, true);
    // An explorer further down a chapter waits until it is seen.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      this.seen = true;
      this.simulation.run(this.state);
    }, { rootMargin: "200px" });
    seen.observe(host);
  }

  /** Raw numbers of the simulation, for tests and a curious console. */
  call(name: string, argument: unknown): Promise<unknown> {
    return this.simulation.call(name, argument);
  }

  private origin(): State {
    return this.options.address ? DEFAULTS : fromText(this.options.state);
  }

  private assemble(): void {
    const twin = element("div", { class: "dlx-twin" }, ...this.host.childNodes);
    const live = element("div", { class: "dlx", role: "group", "aria-label": "Live explorer of networks and their limit" });
    this.host.replaceChildren(live, twin);
    this.host.classList.add("dlx-live");
    const panels = PANELS.filter((name) => !this.options.panels.length || this.options.panels.includes(name));
    const board = element("div", { class: "dlx-panels" }, ...panels.map((name) => this.panel(name)));
    const bar = element("div", { class: "dlx-bar" }, this.progress, this.amount, ...this.buttons());
    live.append(
      ...(this.options.address ? [this.presets()] : []),
      element("div", { class: "dlx-board" }, element("div", { class: "dlx-side" }, this.controls.root, bar, this.status, this.verdicts), board),
      this.numbers(),
    );
    for (const name of panels) {
      const target = board.querySelector<HTMLElement>(`[data-panel="${name}"]`)!;
      this.plots.set(name, name === "paths" ? new Paths(target) : name === "norms" ? new Norms(target) : new Density(target, name === "norm" ? NORM_SCALE : CORRELATION_SCALE));
    }
  }

  private panel(name: Panel): HTMLElement {
    const keys = KEYS[name].map(([mark, all, few = all]) => {
      const text = element("span", {}, all);
      this.legends.push((explodes) => (text.textContent = explodes ? few : all));
      return element("li", {}, element("span", { class: `dlx-key ${mark}`, "aria-hidden": "true" }), text);
    });
    return element("div", { class: `dlx-panel dlx-${name}` },
      element("p", { class: "dlx-title" }, TITLES[name]),
      element("div", { "data-panel": name, role: "img", "aria-label": TITLES[name] }),
      element("ul", { class: "dlx-keys" }, ...keys),
    );
  }

  private presets(): HTMLElement {
    const made = PRESETS.map(([name, text]) => {
      const button = element("button", { type: "button" }, name);
      button.addEventListener("click", () => this.set(fromText(text)));
      this.marked.push([button, toText(fromText(text))]);
      return button;
    });
    return element("div", { class: "dlx-presets", role: "group", "aria-label": "Settings to try" }, "Try: ", ...made);
  }

  private buttons(): HTMLElement[] {
    const again = element("button", { type: "button" }, "New networks");
    again.addEventListener("click", () => this.controls.change({ seed: (this.state.seed % 999999) + 1 }));
    const reset = element("button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => this.set(this.origin()));
    if (!this.options.address) {
      return [again, reset, element("a", { href: this.options.home, class: "dlx-home" }, "Open in the explorer")];
    }
    const copy = element("button", { type: "button" }, "Copy link");
    copy.addEventListener("click", async () => {
      this.address(true);
      // Without permission, or from a file, the address bar still has it.
      const done = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
      this.status.textContent = copy.textContent = done ? "Link copied" : "Link is in the address bar";
      setTimeout(() => (copy.textContent = "Copy link"), 2000);
    });
    return [again, copy, reset];
  }

  private numbers(): HTMLElement {
    const columns = ["", "networks", "limit", "infinite width"].map((text) => element(text ? "th" : "td", text ? { scope: "col" } : {}, text));
    return element("details", { class: "dlx-numbers" },
      element("summary", {}, "The same in numbers"),
      element("div", { class: "dlx-scroll", tabindex: "0", role: "group", "aria-label": "The same in numbers" },
        element("table", {},
          element("caption", {}, "At the last layer; ± one standard error where a number is simulated."),
          element("thead", {}, element("tr", {}, ...columns)),
          this.table,
        )),
    );
  }

  /** Take up a setting; `read` from an address rather than chosen here. */
  private set(state: State, read = false): void {
    this.state = state;
    this.read = read;
    this.current = false;
    this.controls.update(state);
    for (const [button, text] of this.marked) button.setAttribute("aria-pressed", String(text === toText(state)));
    this.host.dataset.done = "";
    if (this.seen) this.simulation.run(state);
    clearTimeout(this.timer);
    if (this.options.address) this.timer = window.setTimeout(() => this.address(), SETTLED);
    const home = this.host.querySelector<HTMLAnchorElement>(".dlx-home");
    if (home) home.href = `${this.options.home}#${toText(state)}`;
  }

  /**
   * Let the setting follow a new address, or else the address the setting. An address changes before its event is
   * told, and a timer may come between: what writes looks first. A link to a heading may stay there until the setting
   * changes, unless it is forced out.
   */
  private address(forced = false): void {
    const now = location.hash.slice(1);
    const news = now !== this.known;
    this.known = now;
    if (news && (!now || isState(now))) {
      if (now !== toText(this.state)) this.set(fromText(now || this.options.state, this.origin()), true);
      return;
    }
    const text = toText(this.state);
    if (!forced && now && !isState(now) && text === this.written) return;
    this.known = this.written = text;
    // Every setting that the reader came to rest at is a step: back leads back to it.
    const write = this.read ? "replaceState" : "pushState";
    if (now !== text) history[write](null, "", text ? `#${text}` : location.pathname + location.search);
  }

  /** A report is drawn with the next frame; of several only the last. */
  private take(report: Report, current: boolean): void {
    this.report = report;
    this.current = current;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.report) this.draw(this.report, this.current && this.report.done >= this.report.goal);
    });
  }

  private draw(report: Report, done: boolean): void {
    (this.plots.get("paths") as Paths | undefined)?.show(report);
    (this.plots.get("correlation") as Density | undefined)?.show(report.correlation);
    (this.plots.get("norms") as Norms | undefined)?.show(report);
    (this.plots.get("norm") as Density | undefined)?.show(report.norm);
    for (const say of this.legends) say(report.explosion !== null);
    this.progress.value = report.done / report.total;
    this.amount.textContent = `${report.done} of ${report.total} networks`;
    const limited = report.correlation.limit !== null;
    this.host.classList.toggle("dlx-unlimited", !limited);
    this.say(report, done);
    this.tabulate(report);
    this.host.dataset.done = done ? "yes" : "";
  }

  private say(report: Report, done: boolean): void {
    const { state } = report;
    const findings: Finding[] = [];
    if (this.plots.has("paths") || this.plots.has("correlation")) findings.push(aboutCorrelation(report));
    if (this.plots.has("norm") || this.plots.has("norms")) findings.push(aboutNorm(report));
    this.verdicts.replaceChildren(
      element("p", { class: "dlx-setting" }, setting(state, report.b)),
      ...findings.map(({ verdict, headline, reasons }) =>
        element("p", { class: `dlx-verdict ${verdict}` }, element("strong", {}, `${headline}:`), ` ${reasons}`)),
    );
    if (!done || this.host.dataset.done === "yes") return;
    // Once, with the verdict: a screen reader should not be told every frame.
    this.status.textContent = [setting(state, report.b), ...findings.map(({ headline }) => `${headline}.`)].join(" ");
    const { correlation } = report;
    this.plots.get("paths")?.describe(
      `Paths of the correlation of ${report.paths.network.length} networks and of the limit, from ${near1(report.wide[0])} at the inputs. ` +
      (correlation.enough && correlation.limit
        ? `At the last layer 90 % of the limit${report.explosion ? ` ${FEW}` : ""} lie between ${near1(correlation.limit.quantiles[0].value)} and ${near1(correlation.limit.quantiles[2].value)}; `
        : `${findings[0].headline}; `) +
      `infinite width ends at ${near1(correlation.wideValue)}.`);
    this.plots.get("norms")?.describe(`Squared norm of ${report.norms.network.length} networks along the depth, on a logarithmic axis. ${sentence(aboutNorm(report))}`);
    this.plots.get("correlation")?.describe(`Histogram of the correlation of networks with the density of the limit. ${sentence(aboutCorrelation(report))}`);
    this.plots.get("norm")?.describe(`Histogram of the squared norm of networks with the density of the limit, on a logarithmic axis. ${sentence(aboutNorm(report))}`);
  }

  private tabulate(report: Report): void {
    const { correlation: c, norm: v, explosion } = report;
    // A number without an error has the decimals of the networks' one.
    const row = (name: string, network: Estimate, limit: Estimate | undefined, wide: number): string[] =>
      [name, estimate(network), limit ? estimate(limit, network.error) : "–", estimate({ value: wide, error: 0 }, network.error)];
    const those = explosion ? `, ${FEW}` : "";
    const rows: string[][] = [
      row(`mean of the correlation${those}`, c.network.mean, c.limit?.mean, c.wideValue),
      [...row("its standard deviation", c.network.deviation, c.limit?.deviation, 0).slice(0, 3), "0"],
      ...[5, 50, 95].map((p, i) => row(`${p} % of ${explosion ? "these" : "the"} correlations are below`, c.network.quantiles[i], c.limit?.quantiles[i], c.wideValue)),
      ...[5, 50, 95].map((p, i) => row(`${p} % of the norms are below`, v.network.quantiles[i], v.limit?.quantiles[i], v.wideValue)),
    ];
    if (explosion) {
      rows.push([`both norms at most ${EXPLODED}`, percent(explosion.left), percent(explosion.limitLeft), ""]);
      rows.push([`norms above ${EXPLODED}`, percent(explosion.above), percent(explosion.limitAbove), v.wideValue > EXPLODED ? "100 %" : "0 %"]);
      rows.push(["exploded norms", "–", percent(explosion.limit), v.wideValue === Infinity ? "100 %" : "0 %"]);
    }
    for (const [name, { limit, enough, distance, chance }] of [["correlation", c], ["norm", v]] as const) {
      if (!limit) continue;
      rows.push([`distance of the laws, ${name}`, ...(enough ? [number(distance), `by chance below ${number(chance)}`] : ["–", ""]), ""]);
    }
    this.table.replaceChildren(...rows.map(([name, ...cells]) =>
      element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((cell) => element("td", {}, cell)))));
  }
}
