/** A small plotting surface: a canvas with two axes that follows the width of its element and the page's theme. */

export type Role = "network" | "limit" | "wide" | "text" | "grid";

/** CSS variables of the explorer and of the book. */
const VARIABLES: Record<Role, string> = {
  network: "--dlx-network", limit: "--dlx-limit", wide: "--dlx-wide", text: "--pst-color-text-base", grid: "--dlx-grid",
};

/** An axis: its range, what is written beside it, and its marks. */
export interface Axis {
  readonly range: readonly [number, number];
  readonly label: string;
  readonly marks: readonly (readonly [place: number, text: string])[];
}

const HEIGHT = 190;
const MARGIN = { left: 52, right: 10, top: 8, bottom: 40 };
const FONT = "12px system-ui, sans-serif";

export abstract class Plot {
  private readonly canvas = document.createElement("canvas");
  protected readonly context = this.canvas.getContext("2d")!;
  private readonly colours = {} as Record<Role, string>;
  private width = 0;
  private horizontal: readonly [number, number] = [0, 1];
  private vertical: readonly [number, number] = [0, 1];

  constructor(private readonly element: HTMLElement) {
    element.append(this.canvas);
    new ResizeObserver(() => this.redraw()).observe(element);
    new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  protected abstract draw(): void;

  /** What the plot shows, for those who do not see it. */
  describe(text: string): void {
    this.element.setAttribute("aria-label", text);
  }

  redraw(): void {
    const { canvas, context } = this;
    const scale = window.devicePixelRatio || 1;
    this.width = Math.max(this.element.clientWidth, 160);
    // Setting a size clears a canvas, even to the size that it has.
    canvas.width = Math.round(this.width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    canvas.style.cssText = `display:block;height:${HEIGHT}px;width:${this.width}px`;
    const style = getComputedStyle(this.element);
    for (const role of Object.keys(VARIABLES) as Role[]) this.colours[role] = style.getPropertyValue(VARIABLES[role]);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    this.draw();
  }

  /** Pixels along the horizontal axis. */
  protected get breadth(): number {
    return this.width - MARGIN.left - MARGIN.right;
  }

  protected x(value: number): number {
    const [low, high] = this.horizontal;
    return MARGIN.left + ((value - low) / (high - low)) * this.breadth;
  }

  protected y(value: number): number {
    const [low, high] = this.vertical;
    return HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }

  /** Draw the axes; what is drawn inside stays inside. */
  protected frame(horizontal: Axis, vertical: Axis, inside: () => void): void {
    const { context: c, colours, width } = this;
    this.horizontal = horizontal.range;
    this.vertical = vertical.range;
    const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
    c.font = FONT;
    c.fillStyle = colours.text;
    c.strokeStyle = colours.grid;
    c.lineWidth = 1;
    c.beginPath();
    c.textAlign = "center";
    for (const [place, text] of horizontal.marks) {
      const x = Math.round(this.x(place)) + 0.5;
      c.moveTo(x, MARGIN.top);
      c.lineTo(x, bottom);
      // A mark at the end stays whole.
      c.fillText(text, Math.min(x, width - c.measureText(text).width / 2), bottom + 15);
    }
    c.fillText(horizontal.label, (MARGIN.left + right) / 2, HEIGHT - 6);
    c.textAlign = "right";
    for (const [place, text] of vertical.marks) {
      const y = Math.round(this.y(place)) + 0.5;
      c.moveTo(MARGIN.left, y);
      c.lineTo(right, y);
      c.fillText(text, MARGIN.left - 6, y + 4);
    }
    c.stroke();
    c.save();
    c.translate(12, (MARGIN.top + bottom) / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.fillText(vertical.label, 0, 0);
    c.restore();
    c.save();
    c.beginPath();
    c.rect(MARGIN.left, MARGIN.top, right - MARGIN.left, bottom - MARGIN.top);
    c.clip();
    inside();
    c.restore();
  }

  /** Use the colour of a role for what follows. */
  protected pen(role: Role, opacity = 1, width = 1, dash: number[] = []): void {
    const { context: c } = this;
    c.strokeStyle = c.fillStyle = this.colours[role];
    c.globalAlpha = opacity;
    c.lineWidth = width;
    c.setLineDash(dash);
  }

  /** A line through points; numbers that are none interrupt it. */
  protected line(xs: readonly number[], ys: readonly number[]): void {
    const { context: c } = this;
    c.beginPath();
    let down = false;
    xs.forEach((x, i) => {
      if (!Number.isFinite(ys[i])) down = false;
      else if (down) c.lineTo(this.x(x), this.y(ys[i]));
      else {
        c.moveTo(this.x(x), this.y(ys[i]));
        down = true;
      }
    });
    c.stroke();
  }

  /** The area between two lines. */
  protected area(xs: readonly number[], low: readonly number[], high: readonly number[]): void {
    const { context: c } = this;
    c.beginPath();
    const known = [...xs.keys()].filter((i) => Number.isFinite(low[i] + high[i]));
    for (const i of known) c.lineTo(this.x(xs[i]), this.y(high[i]));
    for (const i of known.reverse()) c.lineTo(this.x(xs[i]), this.y(low[i]));
    c.fill();
  }

  /** Words in the middle, where there is nothing to draw. */
  protected say(text: string): void {
    this.context.textAlign = "center";
    this.pen("text");
    this.context.fillText(text, MARGIN.left + this.breadth / 2, HEIGHT / 2);
  }

  /** A vertical error bar. */
  protected error(x: number, low: number, high: number): void {
    const { context: c } = this;
    c.beginPath();
    c.moveTo(this.x(x), this.y(low));
    c.lineTo(this.x(x), this.y(high));
    c.stroke();
  }

  protected dot(x: number, y: number): void {
    const { context: c } = this;
    c.beginPath();
    c.arc(this.x(x), this.y(y), 3, 0, 2 * Math.PI);
    c.fill();
  }

  protected box(left: number, right: number, height: number): void {
    this.context.fillRect(this.x(left), this.y(height), this.x(right) - this.x(left), this.y(0) - this.y(height));
  }
}
