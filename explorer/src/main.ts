/** Puts an explorer into each `<div class="deep-limits-explorer">` of the page; its data attributes are the options. */
import style from "./style.css";
import { Explorer } from "./view";

declare global {
  interface Window {
    deepLimits?: { explorers: Explorer[] };
  }
}

const script = document.currentScript as HTMLScriptElement | null;

function mount(): void {
  const explorers: Explorer[] = [];
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  for (const host of document.querySelectorAll<HTMLElement>(".deep-limits-explorer")) {
    const list = (text?: string) => (text ?? "").split(" ").filter(Boolean);
    const { state = "", panels, controls } = host.dataset;
    const home = new URL("../../book/explore.html", script?.src ?? location.href).href;
    explorers.push(new Explorer(host, { state, panels: list(panels), controls: list(controls), address: "address" in host.dataset, home }));
  }
  window.deepLimits = { explorers };
}

// A page may name the script once for each explorer on it.
if (!window.deepLimits) {
  window.deepLimits = { explorers: [] };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", mount);
  else mount();
}
