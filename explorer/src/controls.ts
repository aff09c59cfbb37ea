/** The controls: native inputs with labels, shown where the setting has use for them. */
import { fault } from "./activations";
import {
  ACTIVATIONS, BIASES, CONSTANTS, CORRELATIONS, GAINS, NORMS, PAIRS, SHAPES, SIZES, type State, correlation, nearest, settle,
} from "./state";
import { number } from "./numbers";

/** An element with attributes and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Record<string, string> = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A control of one part of the state. */
interface Control {
  readonly root: HTMLElement;
  update(state: State): void;
}

type Change = (part: Partial<State>) => void;

const NAMES = {
  shaped: "shaped, fully connected", plain: "not shaped, fully connected", residual: "residual", formula: "one that you type",
  relu: "ReLU", tanh: "tanh", silu: "SiLU", gelu: "GELU", linear: "linear",
};

const smooth = (state: State) => state.activation !== "relu" && state.activation !== "linear";

interface Slider {
  readonly label: string;
  readonly values: (state: State) => readonly number[];
  readonly visible: (state: State) => boolean;
  readonly hint: string;
}

const SLIDERS: Partial<Record<keyof State, Slider>> = {
  width: { label: "width n", values: () => SIZES, visible: () => true, hint: "" },
  depth: { label: "depth d", values: () => SIZES, visible: () => true, hint: "" },
  plus: {
    label: "shaping c₊", values: () => CONSTANTS, visible: (s) => s.network === "shaped" && !smooth(s),
    hint: "the slope for positive inputs is 1 + c₊/√n",
  },
  minus: {
    label: "shaping c₋", values: () => CONSTANTS, visible: (s) => s.network === "shaped" && !smooth(s),
    hint: "the slope for negative inputs is 1 + c₋/√n",
  },
  a: {
    label: "shaping a", values: () => SHAPES, visible: (s) => s.network === "shaped" && smooth(s),
    hint: "the activation is stretched by a√n",
  },
  gain: {
    label: "weights σ²", values: () => GAINS, visible: (s) => s.network !== "shaped",
    hint: "weights have variance σ²/n",
  },
  bias: { label: "biases", values: () => BIASES, visible: (s) => s.network === "plain", hint: "their variance" },
  rho: {
    label: "correlation of the inputs", values: () => CORRELATIONS, visible: (s) => s.digits === 0,
    hint: "",
  },
  norm: { label: "squared norm of the inputs", values: () => NORMS, visible: (s) => smooth(s) || s.bias > 0, hint: "" },
};

function slider(key: keyof State, unique: string, change: Change): Control {
  const { label, values, visible, hint } = SLIDERS[key]!;
  const id = `${unique}-${key}`;
  const input = element("input", { type: "range", id, min: "0", step: "1", ...(hint && { "aria-describedby": `${id}-hint` }) });
  // The slider tells its value itself: what is written beside it stays silent.
  const shown = element("span", { class: "dlx-value", "aria-hidden": "true" });
  const root = element("div", { class: "dlx-control" },
    element("label", { for: id }, label), shown, input, ...(hint ? [element("small", { id: `${id}-hint`, class: "dlx-hint" }, hint)] : []));
  let offered: readonly number[] = [];
  input.addEventListener("input", () => change({ [key]: offered[Number(input.value)] }));
  // A finger that comes down on a slider and then scrolls the page changes nothing.
  let before = 0;
  input.addEventListener("pointerdown", () => (before = offered[Number(input.value)]));
  input.addEventListener("pointercancel", () => {
    if (offered[Number(input.value)] !== before) change({ [key]: before });
  });
  return {
    root,
    update(state) {
      root.hidden = !visible(state);
      offered = values(state);
      const value = nearest(offered, state[key] as number);
      input.max = String(offered.length - 1);
      input.value = String(offered.indexOf(value));
      const text = number(value, 3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
      shown.textContent = text;
      input.setAttribute("aria-valuetext", text);
    },
  };
}

function choice(key: "network" | "activation" | "digits", label: string, unique: string, change: Change,
                options: (state: State) => [string, string][]): Control {
  const id = `${unique}-${key}`;
  const select = element("select", { id });
  const root = element("div", { class: `dlx-control dlx-${key}` }, element("label", { for: id }, label), select);
  select.addEventListener("change", () => change({ [key]: key === "digits" ? Number(select.value) : select.value }));
  let offered = "";
  return {
    root,
    update(state) {
      const found = options(state);
      if (offered !== found.join()) select.replaceChildren(...found.map(([value, text]) => element("option", { value }, text)));
      offered = found.join();
      select.value = String(state[key]);
    },
  };
}

/** A handwritten digit as a picture of 8 x 8 squares. */
function picture(pixels: string, label: number): SVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 8 8", role: "img", "aria-label": `a handwritten ${label}` })) {
    svg.setAttribute(name, value);
  }
  [...pixels].forEach((grey, i) => {
    const square = document.createElementNS(space, "rect");
    const place = { x: i % 8, y: Math.floor(i / 8), width: 1.02, height: 1.02, fill: "currentColor", "fill-opacity": parseInt(grey, 17) / 16 };
    for (const [name, value] of Object.entries(place)) square.setAttribute(name, String(value));
    svg.append(square);
  });
  return svg;
}

function digits(unique: string, change: Change): Control {
  const inner = choice("digits", "inputs", unique, change, () => [
    ["0", "two inputs of any correlation"],
    ...PAIRS.map(({ labels, correlation }, i): [string, string] => [
      String(i + 1), `digits ${labels[0]} and ${labels[1]}: correlation ${number(correlation, 2).replace("−0.00", "0.00")}`,
    ]),
  ]);
  const shown = element("div", { class: "dlx-pictures" });
  inner.root.append(shown);
  let drawn = -1;
  return {
    root: inner.root,
    update(state) {
      inner.update(state);
      if (drawn === state.digits) return;
      drawn = state.digits;
      const pair = PAIRS[drawn - 1];
      shown.replaceChildren(...(pair ? pair.pixels.map((pixels, i) => picture(pixels, pair.labels[i])) : []));
    },
  };
}

/** A field for a formula: what is wrong with it is said at once, and what is right is taken at once. */
function typed(unique: string, change: Change): Control {
  const id = `${unique}-formula`;
  const input = element("input", { type: "text", id, spellcheck: "false", autocomplete: "off", maxlength: "200", "aria-describedby": `${id}-hint` });
  const said = element("small", { id: `${id}-hint`, class: "dlx-hint", role: "alert" });
  const root = element("div", { class: "dlx-control dlx-wide" }, element("label", { for: id }, "formula in x"), input, said);
  let shaped = true;
  const judge = () => {
    const wrong = fault(input.value, shaped);
    input.setAttribute("aria-invalid", String(wrong !== ""));
    said.textContent = wrong ? `Not taken: ${wrong}.` : "as x*tanh(x) + x, max(x, 0.1*x), x*sigmoid(1.7*x)";
    return !wrong;
  };
  input.addEventListener("input", () => {
    if (judge()) change({ formula: input.value });
  });
  return {
    root,
    update(state) {
      root.hidden = state.activation !== "formula";
      shaped = state.network === "shaped";
      // While the reader types, the field is the reader's.
      if (document.activeElement !== input) input.value = state.formula;
      if (!root.hidden) judge();
    },
  };
}

/** The controls of the names asked for, in their order; `change` is what they do. */
export function controls(names: string[], unique: string, get: () => State, set: (state: State) => void): Control & { change: Change } {
  const change: Change = (part) => {
    const before = get();
    const next = settle({ ...before, ...part });
    // From a pair of digits back to the slider: it starts where the pair was.
    if (before.digits > 0 && next.digits === 0) next.rho = nearest(CORRELATIONS, correlation(before));
    // A network of another kind shows what it does at other sizes.
    if (part.network && part.network !== before.network) {
      Object.assign(next, part.network === "residual" ? { width: 10, depth: 100, gain: 1 } : { width: 100, depth: 100, gain: part.network === "plain" ? 2 : 1 });
    }
    set(next);
  };
  const all = names.map((name): Control => {
    if (name === "network") {
      return choice(name, "network", unique, change, () => (["shaped", "plain", "residual"] as const).map((key) => [key, NAMES[key]]));
    }
    if (name === "activation") {
      return choice(name, "activation", unique, change, (state) => ACTIVATIONS[state.network].map((key) => [key, NAMES[key]]));
    }
    if (name === "digits") return digits(unique, change);
    if (name === "formula") return typed(unique, change);
    if (Object.hasOwn(SLIDERS, name)) return slider(name as keyof State, unique, change);
    throw new Error(`no control is called ${name}`);
  });
  return {
    change,
    root: element("div", { class: "dlx-controls" }, ...all.map((control) => control.root)),
    update: (state) => all.forEach((control) => control.update(state)),
  };
}
