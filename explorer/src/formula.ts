/**
 * Formulas that a reader types, as `x*tanh(x) + 2`: read by a small grammar of their own, and never as a program.
 *
 *   sum = product {("+" | "-") product};  product = power {("*" | "/") power};  power = ["-" | "+"] atom ["^" power]
 *   atom = number | "x" | "pi" | "e" | function "(" sum ["," sum] ")" | "(" sum ")"
 *
 * A formula is evaluated on jets: a value with its first three derivatives, as exact as the value itself.
 */

/** Value and derivatives of order 1, 2 and 3. */
export type Jet = readonly [number, number, number, number];
export type Formula = (x: Jet) => Jet;

const constant = (value: number): Jet => [value, 0, 0, 0];
/** The variable at a place. */
export const variable = (value: number): Jet => [value, 1, 0, 0];

const add = (a: Jet, b: Jet): Jet => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
const scale = (a: Jet, by: number): Jet => [a[0] * by, a[1] * by, a[2] * by, a[3] * by];
const times = (a: Jet, b: Jet): Jet => [
  a[0] * b[0], a[1] * b[0] + a[0] * b[1], a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2],
  a[3] * b[0] + 3 * a[2] * b[1] + 3 * a[1] * b[2] + a[0] * b[3],
];

/** f(a) by the chain rule, from f and its derivatives at the value of a. */
function through(a: Jet, f: Jet): Jet {
  return [f[0], f[1] * a[1], f[2] * a[1] ** 2 + f[1] * a[2], f[3] * a[1] ** 3 + 3 * f[2] * a[1] * a[2] + f[1] * a[3]];
}

/** a to a fixed power. */
function raised(a: Jet, power: number): Jet {
  // Whole powers by multiplication: they are fine at 0 and below.
  if (Number.isInteger(power) && power >= 0 && power <= 16) {
    let product = constant(1);
    for (let k = 0; k < power; k++) product = times(product, a);
    return product;
  }
  const term = (order: number, factor: number) => factor * a[0] ** (power - order);
  return through(a, [term(0, 1), term(1, power), term(2, power * (power - 1)), term(3, power * (power - 1) * (power - 2))]);
}

const inverse = (a: Jet) => raised(a, -1);

/** The error function, by its series or its continued fraction. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let [term, sum] = [x, x];
    for (let k = 1; k < 80; k++) sum += (term *= (-x * x) / k) / (2 * k + 1);
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / (size + fraction));
}

type Derivatives = (x: number) => Jet;

const tanh: Derivatives = (x) => {
  const t = Math.tanh(x);
  const s = 1 - t * t;
  return [t, s, -2 * t * s, s * (6 * t * t - 2)];
};
const sigmoid: Derivatives = (x) => {
  const y = 1 / (1 + Math.exp(-x));
  const s = y * (1 - y);
  return [y, s, s * (1 - 2 * y), s * (1 - 6 * y + 6 * y * y)];
};
/** The normal distribution function. */
const Phi: Derivatives = (x) => {
  const d = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  return [0.5 * (1 + erf(x / Math.SQRT2)), d, -x * d, (x * x - 1) * d];
};
const softplus: Derivatives = (x) => {
  const [y, s, second] = sigmoid(x);
  return [Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), y, s, second];
};

/** Functions of one variable, by value and derivatives. */
const FUNCTIONS: Record<string, Derivatives> = {
  tanh, sigmoid, Phi, softplus,
  exp: (x) => { const y = Math.exp(x); return [y, y, y, y]; },
  log: (x) => [Math.log(x), 1 / x, -1 / x ** 2, 2 / x ** 3],
  sqrt: (x) => { const r = Math.sqrt(x); return [r, 1 / (2 * r), -1 / (4 * r ** 3), 3 / (8 * r ** 5)]; },
  sin: (x) => [Math.sin(x), Math.cos(x), -Math.sin(x), -Math.cos(x)],
  cos: (x) => [Math.cos(x), -Math.sin(x), -Math.cos(x), Math.sin(x)],
  sinh: (x) => [Math.sinh(x), Math.cosh(x), Math.sinh(x), Math.cosh(x)],
  cosh: (x) => [Math.cosh(x), Math.sinh(x), Math.cosh(x), Math.sinh(x)],
  asinh: (x) => { const r = 1 + x * x; return [Math.asinh(x), r ** -0.5, -x * r ** -1.5, (2 * x * x - 1) * r ** -2.5]; },
  atan: (x) => { const r = 1 + x * x; return [Math.atan(x), 1 / r, (-2 * x) / r ** 2, (6 * x * x - 2) / r ** 3]; },
  erf: (x) => { const d = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x); return [erf(x), d, -2 * x * d, (4 * x * x - 2) * d]; },
  silu: (x) => times(variable(x), sigmoid(x)),
  gelu: (x) => times(variable(x), Phi(x)),
  mish: (x) => times(variable(x), through(softplus(x), tanh(softplus(x)[0]))),
  // Straight on both sides of 0, with a corner there.
  relu: (x) => (x > 0 ? variable(x) : constant(0)),
  abs: (x) => scale(variable(x), x < 0 ? -1 : 1),
};
const CONSTANTS: Record<string, number> = { pi: Math.PI, e: Math.E };

/** The longest formula, and the deepest nesting, that is read. */
const LONGEST = 200;
const DEEPEST = 40;

class Reader {
  private place = 0;
  private depth = 0;
  private readonly tokens: string[];

  constructor(text: string) {
    if (text.length > LONGEST) throw new SyntaxError(`a formula has at most ${LONGEST} characters`);
    this.tokens = text.replace(/\*\*/g, "^").match(/\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|[A-Za-z]+|\S/g) ?? [];
  }

  whole(): Formula {
    const found = this.sum();
    if (this.place < this.tokens.length) throw new SyntaxError(`“${this.tokens[this.place]}” was not expected`);
    return found;
  }

  private take(...wanted: string[]): string | null {
    const next = this.tokens[this.place];
    if (next === undefined || !wanted.includes(next)) return null;
    this.place++;
    return next;
  }

  private expect(wanted: string): void {
    if (!this.take(wanted)) throw new SyntaxError(`“${wanted}” is missing`);
  }

  private sum(): Formula {
    if (++this.depth > DEEPEST) throw new SyntaxError("too many brackets");
    let left = this.product();
    for (let sign = this.take("+", "-"); sign; sign = this.take("+", "-")) {
      const [first, second, by] = [left, this.product(), sign === "-" ? -1 : 1];
      left = (x) => add(first(x), scale(second(x), by));
    }
    this.depth--;
    return left;
  }

  private product(): Formula {
    let left = this.power();
    for (let sign = this.take("*", "/"); sign; sign = this.take("*", "/")) {
      const [first, second, divided] = [left, this.power(), sign === "/"];
      left = (x) => times(first(x), divided ? inverse(second(x)) : second(x));
    }
    return left;
  }

  private power(): Formula {
    const sign = this.take("-", "+");
    if (sign) {
      if (++this.depth > DEEPEST) throw new SyntaxError("too many signs");
      const inner = this.power();
      this.depth--;
      return sign === "-" ? (x) => scale(inner(x), -1) : inner;
    }
    const base = this.atom();
    if (!this.take("^")) return base;
    const exponent = this.power()(variable(0));
    if (exponent.slice(1).some((each) => each !== 0)) throw new SyntaxError("a power is a number, as in x^2");
    return (x) => raised(base(x), exponent[0]);
  }

  private atom(): Formula {
    const token = this.tokens[this.place++];
    if (token === undefined) throw new SyntaxError("the formula ends too early");
    if (token === "(") {
      const inner = this.sum();
      this.expect(")");
      return inner;
    }
    if (/^[\d.]/.test(token)) return this.given(Number(token), token);
    if (token === "x") return (x) => x;
    if (Object.hasOwn(CONSTANTS, token)) return this.given(CONSTANTS[token], token);
    if (token === "max" || token === "min") return this.larger(token === "max");
    if (!Object.hasOwn(FUNCTIONS, token)) throw new SyntaxError(`“${token}” is none of ${[...Object.keys(FUNCTIONS), "max", "min"].join(", ")}`);
    this.expect("(");
    const inner = this.sum();
    this.expect(")");
    return (x) => { const at = inner(x); return through(at, FUNCTIONS[token](at[0])); };
  }

  private given(value: number, token: string): Formula {
    if (!Number.isFinite(value)) throw new SyntaxError(`“${token}” is no number`);
    const jet = constant(value);
    return () => jet;
  }

  private larger(largest: boolean): Formula {
    this.expect("(");
    const first = this.sum();
    this.expect(",");
    const second = this.sum();
    this.expect(")");
    return (x) => { const [a, b] = [first(x), second(x)]; return a[0] > b[0] === largest ? a : b; };
  }
}

/**
 * The formula of a text.
 *
 * Throws a SyntaxError, in words for the reader, for anything that is not of the grammar.
 */
export function parse(text: string): Formula {
  return new Reader(text).whole();
}
