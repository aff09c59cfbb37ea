/** What a live figure is: its controls, and a run that tells bit by bit what it shows and says. */

/** A control: a slider over some values or, with `names`, a choice between them. */
export interface Control {
  readonly key: string;
  readonly label: string;
  readonly values: readonly number[];
  readonly names?: readonly string[];
  /** The value at the beginning. */
  readonly initial: number;
  /** A value in words, where its number alone does not do. */
  readonly say?: (value: number) => string;
}

export type Setting = Readonly<Record<string, number>>;

/** What a colour stands for, on all pages of the book. */
export type Role = "network" | "limit" | "wide" | "control" | "data";

export interface Axis {
  readonly label: string;
  readonly range: readonly [number, number];
  readonly log?: boolean;
  /** Marks of its own, as place and text. */
  readonly marks?: readonly (readonly [number, string])[];
}

interface Painted {
  readonly role: Role;
  readonly opacity?: number;
}

export type Mark = Painted & (
  | { readonly kind: "line"; readonly x: ArrayLike<number>; readonly y: ArrayLike<number>; readonly width?: number; readonly dash?: string }
  | { readonly kind: "band"; readonly x: ArrayLike<number>; readonly low: ArrayLike<number>; readonly high: ArrayLike<number> }
  | { readonly kind: "dots"; readonly x: ArrayLike<number>; readonly y: ArrayLike<number>; readonly error?: ArrayLike<number> }
  | { readonly kind: "bars"; readonly low: number; readonly width: number; readonly height: ArrayLike<number> }
  /** Squares of a picture, row by row, from 0 (nothing) to 1; negative numbers are of the colour "limit". */
  | { readonly kind: "cells"; readonly columns: number; readonly values: ArrayLike<number>; readonly cross?: number }
);

export interface Panel {
  readonly title?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly marks: readonly Mark[];
}

/** What is known at some point of a run. */
export interface View {
  /** The numbers that the sentence rests on; tests compare them with the Python engine. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly panels: readonly Panel[];
  /** The finding in a few words, and its reasons. */
  readonly headline: string;
  readonly reasons: string;
}

export interface Figure {
  readonly name: string;
  /** The page on which it stands, as the book names it. */
  readonly page: string;
  readonly title: string;
  /** What is to be seen, whatever the setting. */
  readonly alt: string;
  readonly controls: readonly Control[];
  /** The legend: form, role, meaning. */
  readonly keys: readonly (readonly [form: "line" | "dash" | "dots" | "box" | "band", role: Role, text: string])[];
  /** The work in short pieces: nothing between them, or what is known by then; the last piece is a view. */
  run(setting: Setting): Generator<View | null, void>;
}

/** Where the controls stand at first. */
export function initial(figure: Figure): Setting {
  return Object.fromEntries(figure.controls.map(({ key, initial }) => [key, initial]));
}

/** The last view of a run: all that it has to tell. */
export function last(figure: Figure, setting: Setting): View {
  let found: View | null = null;
  for (const view of figure.run(setting)) found = view ?? found;
  if (!found) throw new Error(`${figure.name} tells nothing`);
  return found;
}
