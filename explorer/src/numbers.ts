/** Numbers as a reader sees them, and round ones for axes. */

/** A power of ten in the exponent, or another whole number. */
export const superscript = (power: number) => String(power).replace(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));

/** A number with few digits and a true minus sign. */
export function number(value: number, digits = 3): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e4 || (size < 1e-3 && size > 0)) {
    const [head, power] = value.toExponential(1).split("e");
    return `${head.replace("-", "−")} × 10${superscript(Number(power))}`;
  }
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : digits).replace("-", "−");
}

/** Round numbers within a range, at most `most` of them. */
export function round([low, high]: readonly [number, number], most: number): [number, string][] {
  const rough = Math.max(high - low, 1e-12) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough)!;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const marks: [number, string][] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    marks.push([k * step, (k * step).toFixed(digits).replace("-", "−")]);
  }
  return marks;
}
