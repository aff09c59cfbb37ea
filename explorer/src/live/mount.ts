/** Brings the live figures of a page to life: their static twin is there already, with controls that are switched off. */
import { number } from "../numbers";
import { svg } from "./draw";
import { type Figure, type Setting, type View, initial, last } from "./figure";

declare global {
  interface Window {
    /** Numbers of a figure at a setting, for tests and a curious console. */
    liveFigures?: Record<string, (setting?: Setting) => View["numbers"]>;
  }
}

/** Milliseconds of each frame that the work may take: less than half of it, so that the page keeps moving. */
const SLICE = 7;

/** How a value is written beside its control. */
export function shown(control: Figure["controls"][number], value: number): string {
  return control.say?.(value) ?? control.names?.[control.values.indexOf(value)] ?? number(value, 3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

class Live {
  private setting: Setting;
  private work: Generator<View | null, void> | null = null;
  private view: View | null = null;
  private frame = 0;
  private seen = false;
  private readonly plots: HTMLElement;
  private readonly sentence: HTMLElement;

  constructor(private readonly host: HTMLElement, private readonly figure: Figure) {
    this.setting = initial(figure);
    this.plots = host.querySelector(".live-plots")!;
    this.sentence = host.querySelector(".live-sentence")!;
    host.querySelector("fieldset")!.disabled = false;
    for (const input of host.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-key]")) this.listen(input);
    new ResizeObserver(() => this.draw()).observe(this.plots);
    const watch = new IntersectionObserver((entries) => {
      this.seen = entries[entries.length - 1].isIntersecting;
      if (this.seen) this.next();
    }, { rootMargin: "200px" });
    watch.observe(host);
  }

  private listen(input: HTMLInputElement | HTMLSelectElement): void {
    const control = this.figure.controls.find(({ key }) => key === input.dataset.key)!;
    const told = input.parentElement!.querySelector("output");
    // A browser that comes back to a page may have kept where a slider was.
    input.value = String(control.values.indexOf(control.initial));
    input.addEventListener("input", () => {
      const value = control.values[Number(input.value)];
      const text = shown(control, value);
      if (told) told.textContent = text;
      input.setAttribute("aria-valuetext", text);
      this.set({ ...this.setting, [control.key]: value });
    });
  }

  private set(setting: Setting): void {
    this.setting = setting;
    this.work = this.figure.run(setting);
    this.sentence.setAttribute("aria-live", "off");
    this.host.dataset.done = "";
    this.next();
  }

  private next(): void {
    if (this.work && this.seen) this.frame ||= requestAnimationFrame(() => this.advance());
  }

  /** A slice of the work, and what it found; with reduced motion nothing is shown until all is known. */
  private advance(): void {
    this.frame = 0;
    const until = performance.now() + SLICE;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let news: View | null = null;
    do {
      const { done, value } = this.work!.next();
      if (done) {
        this.work = null;
        break;
      }
      news = value ?? news;
      if (news) this.view = news;
    } while (performance.now() < until);
    if (this.work ? news && !still : this.view) this.show(!this.work);
    this.next();
  }

  private show(done: boolean): void {
    this.draw();
    const { headline, reasons } = this.view!;
    // A screen reader is told the finding once, at the end.
    if (done) this.sentence.setAttribute("aria-live", "polite");
    const strong = document.createElement("strong");
    strong.textContent = `${headline}.`;
    this.sentence.replaceChildren(strong, ` ${reasons}`);
    if (done) this.host.dataset.done = "yes";
  }

  private draw(): void {
    // The static twin is the view of the beginning, until there is another or the width is not that of the twin.
    if (!this.view && Math.abs(this.plots.clientWidth - Number(this.plots.dataset.width)) < 2) return;
    this.view ??= last(this.figure, this.setting);
    const { panels } = this.view;
    const room = this.plots.clientWidth;
    const beside = room > 480 ? panels.length : 1;
    const width = Math.max(200, Math.floor((room - 12 * (beside - 1)) / beside));
    this.plots.innerHTML = panels.map((panel) => svg(panel, width, [panel.title, this.figure.alt].filter(Boolean).join(": "))).join("");
  }
}

/** Mount the figure of a bundle on the page that it is loaded by. */
export function mount(figure: Figure): void {
  window.liveFigures ??= {};
  window.liveFigures[figure.name] = (setting) => last(figure, { ...initial(figure), ...setting }).numbers;
  for (const host of document.querySelectorAll<HTMLElement>(`figure.live[data-figure="${figure.name}"]`)) new Live(host, figure);
}
