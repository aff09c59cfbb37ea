/** Drawing: a panel as text of SVG, for the page and for its static twin. Colours are those of the style sheet. */
import { round, superscript } from "../numbers";
import type { Axis, Mark, Panel } from "./figure";

export const HEIGHT = 236;
const MARGIN = { left: 50, right: 10, top: 20, bottom: 38 };

type Place = (value: number) => number;

const fixed = (pixels: number) => String(Math.round(10 * pixels) / 10);

export const escape = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

/** Pixels of a value on an axis between two ends. */
function scale({ range: [low, high], log }: Axis, from: number, to: number): Place {
  const at = log ? Math.log : (value: number) => value;
  const [start, span] = [at(low), at(high) - at(low)];
  return (value) => from + ((at(value) - start) / span) * (to - from);
}

/** Marks of an axis: its own, or round numbers, or powers of ten with 2 and 5 between them where these are few. */
function marks(axis: Axis, most: number): (readonly [number, string])[] {
  if (axis.marks) return axis.marks.filter(([place]) => place >= axis.range[0] && place <= axis.range[1]);
  if (!axis.log) return round(axis.range, most);
  const [low, high] = axis.range.map(Math.log10);
  const step = Math.max(1, Math.ceil((high - low) / most));
  const factors = high - low < 2 ? [1, 2, 5] : [1];
  const found: [number, string][] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    if (power % step) continue;
    for (const factor of factors) {
      const place = factor * 10 ** power;
      const text = Math.abs(power) > 3 ? `${factor > 1 ? `${factor}·` : ""}10${superscript(power)}` : place.toFixed(Math.max(0, -power));
      if (place >= axis.range[0] * 0.999 && place <= axis.range[1] * 1.001) found.push([place, text]);
    }
  }
  return found;
}

/** Points of a line beyond which it is drawn coarser. */
const MOST = 320;

/** A path through points; numbers that are none interrupt it. */
function path(xs: ArrayLike<number>, ys: ArrayLike<number>, x: Place, y: Place): string {
  let text = "";
  let down = false;
  const stride = Math.ceil(xs.length / MOST);
  for (let i = 0; i < xs.length; i += i + stride < xs.length || i === xs.length - 1 ? stride : xs.length - 1 - i) {
    const [px, py] = [x(xs[i]), y(ys[i])];
    if (!Number.isFinite(px + py)) down = false;
    else {
      text += `${down ? "L" : "M"}${fixed(px)} ${fixed(Math.max(-2000, Math.min(py, 4000)))}`;
      down = true;
    }
  }
  return text;
}

const reversed = (values: ArrayLike<number>) => Array.from(values).reverse();

function dots(mark: Mark & { kind: "dots" }, x: Place, y: Place): string {
  let text = "";
  for (let i = 0; i < mark.x.length; i++) {
    const [px, py] = [x(mark.x[i]), y(mark.y[i])];
    if (!Number.isFinite(px + py)) continue;
    text += `<circle class="f ${mark.role}" cx="${fixed(px)}" cy="${fixed(py)}" r="3"/>`;
    const error = 2 * (mark.error?.[i] ?? 0);
    if (error > 0) text += `<path class="s ${mark.role}" d="M${fixed(px)} ${fixed(y(mark.y[i] - error))}V${fixed(y(mark.y[i] + error))}"/>`;
  }
  return text;
}

function cells(mark: Mark & { kind: "cells" }, x: Place, y: Place): string {
  const { columns, values, cross } = mark;
  const rows = values.length / columns;
  let text = "";
  for (let i = 0; i < values.length; i++) {
    const [column, row] = [i % columns, rows - 1 - Math.floor(i / columns)];
    const [left, top, right, bottom] = [x(column), y(row + 1), x(column + 1), y(row)];
    const role = values[i] < 0 ? "limit" : mark.role;
    const shade = Math.min(Math.abs(values[i]), 1);
    text += `<rect class="f ${role}" opacity="${shade.toFixed(2)}" x="${fixed(left)}" y="${fixed(top)}" width="${fixed(right - left)}" height="${fixed(bottom - top)}"/>`;
    if (i === cross) text += `<path class="s ink" stroke-width="2" d="M${fixed(left + 4)} ${fixed(top + 4)}L${fixed(right - 4)} ${fixed(bottom - 4)}M${fixed(right - 4)} ${fixed(top + 4)}L${fixed(left + 4)} ${fixed(bottom - 4)}"/>`;
  }
  return text;
}

function draw(mark: Mark, x: Place, y: Place): string {
  const shade = mark.opacity === undefined ? "" : ` opacity="${mark.opacity}"`;
  switch (mark.kind) {
    case "line": {
      const dash = mark.dash ? ` stroke-dasharray="${mark.dash}"` : "";
      return `<path class="s ${mark.role}" stroke-width="${mark.width ?? 2}"${dash}${shade} d="${path(mark.x, mark.y, x, y)}"/>`;
    }
    case "band": {
      const upper = path(mark.x, mark.high, x, y);
      const lower = path(reversed(mark.x), reversed(mark.low), x, y);
      return `<path class="f ${mark.role}" opacity="${mark.opacity ?? 0.2}" d="${upper}${lower.replace("M", "L")}Z"/>`;
    }
    case "bars":
      return Array.from(mark.height, (height, i) => {
        const [left, right, top] = [x(mark.low + i * mark.width), x(mark.low + (i + 1) * mark.width), y(height)];
        return height > 0 ? `<rect class="f ${mark.role}" opacity="${mark.opacity ?? 0.4}" x="${fixed(left)}" y="${fixed(top)}" width="${fixed(right - left)}" height="${fixed(y(0) - top)}"/>` : "";
      }).join("");
    case "dots":
      return dots(mark, x, y);
    case "cells":
      return cells(mark, x, y);
  }
}

/** One panel of a width; `description` is what it shows, for those who do not see it. */
export function svg(panel: Panel, width: number, description: string): string {
  const picture = panel.marks.some(({ kind }) => kind === "cells");
  const [left, top] = [picture ? 10 : MARGIN.left, MARGIN.top];
  const [right, bottom] = [width - MARGIN.right, HEIGHT - (picture ? 10 : MARGIN.bottom)];
  // A picture has square pixels.
  const side = Math.min(right - left, bottom - top);
  const x = scale(panel.x, left, picture ? left + side : right);
  const y = scale(panel.y, picture ? top + side : bottom, top);
  // What is drawn stays inside the axes: a picture within the picture cuts it off.
  const box = [fixed(picture ? side : right - left), fixed(picture ? side : bottom - top)];
  const across = picture ? [] : marks(panel.x, Math.max(2, Math.floor((right - left) / 62)));
  const down = picture ? [] : marks(panel.y, 5);
  const grid = across.map(([place]) => `M${fixed(x(place))} ${top}V${bottom}`).join("") + down.map(([place]) => `M${left} ${fixed(y(place))}H${right}`).join("");
  const words = (text: string, px: number, py: number, anchor: string, more = "") => `<text x="${fixed(px)}" y="${fixed(py)}" text-anchor="${anchor}"${more}>${escape(text)}</text>`;
  return `<svg role="img" aria-label="${escape(description)}" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}">` +
    (grid ? `<path class="grid" d="${grid}"/>` : "") +
    across.map(([place, text]) => words(text, Math.min(x(place), width - 4 * text.length), bottom + 15, "middle")).join("") +
    down.map(([place, text]) => words(text, left - 6, y(place) + 4, "end")).join("") +
    (picture ? "" : words(panel.x.label, (left + right) / 2, HEIGHT - 5, "middle")) +
    (picture || !panel.y.label ? "" : words(panel.y.label, 12, (top + bottom) / 2, "middle", ` transform="rotate(-90 12 ${fixed((top + bottom) / 2)})"`)) +
    (panel.title ? words(panel.title, picture ? left + side / 2 : (left + right) / 2, 13, "middle", ' class="title"') : "") +
    `<svg role="none" x="${left}" y="${top}" width="${box[0]}" height="${box[1]}" viewBox="${left} ${top} ${box.join(" ")}">${panel.marks.map((mark) => draw(mark, x, y)).join("")}</svg></svg>`;
}
