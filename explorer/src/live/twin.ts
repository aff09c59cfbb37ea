/** The static twin of a figure: what a page holds before, and without, its script. Run by the build alone. */
import { escape, svg } from "./draw";
import { type Control, type Figure, initial, last } from "./figure";
import { shown } from "./mount";

/** The width of a text column of the book. */
const WIDTH = 640;

function control(name: string, control: Control): string {
  const { key, label, values, names } = control;
  const id = `live-${name}-${key}`;
  const place = values.indexOf(control.initial);
  if (place < 0) throw new Error(`${name}: ${key} begins at a value that it does not have`);
  if (names) {
    const options = names.map((each, i) => `<option value="${i}"${i === place ? " selected" : ""}>${escape(each)}</option>`).join("");
    return `<div><label for="${id}">${escape(label)}</label><select id="${id}" data-key="${key}">${options}</select></div>`;
  }
  const text = escape(shown(control, control.initial));
  return `<div><label for="${id}">${escape(label)}</label><output for="${id}" aria-live="off">${text}</output>` +
    `<input type="range" id="${id}" data-key="${key}" min="0" max="${values.length - 1}" step="1" value="${place}" aria-valuetext="${text}"></div>`;
}

/** The HTML of a figure. */
export function twin(figure: Figure): string {
  const view = last(figure, initial(figure));
  const each = Math.floor((WIDTH - 12 * (view.panels.length - 1)) / view.panels.length);
  const plots = view.panels.map((panel) => svg(panel, each, [panel.title, figure.alt].filter(Boolean).join(": "))).join("");
  const keys = figure.keys.map(([form, role, text]) => `<li><span class="live-key ${form} ${role}" aria-hidden="true"></span>${escape(text)}</li>`).join("");
  return `<figure class="live" data-figure="${figure.name}" id="live-${figure.name}">` +
    `<p class="live-title">${escape(figure.title)}</p>` +
    `<fieldset disabled><legend>${escape(figure.title)}: settings</legend>${figure.controls.map((each) => control(figure.name, each)).join("")}</fieldset>` +
    `<div class="live-plots" data-width="${WIDTH}">${plots}</div><ul class="live-keys">${keys}</ul>` +
    `<figcaption class="live-sentence" aria-live="polite"><strong>${escape(view.headline)}.</strong> ${escape(view.reasons)}</figcaption></figure>\n`;
}
