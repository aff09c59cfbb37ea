// A definition is shown by the first tap on its term; the second follows the link.
{
  let shown = null;
  document.addEventListener("click", event => {
    const term = event.target.closest?.("a.definition");
    if (term && term !== shown && matchMedia("(hover: none)").matches) {
      event.preventDefault();
      term.focus();
    }
    shown = term;
  });
}

// On paper the book is light, whatever it is on the screen. With forced colours the ground is that of the system, and
// pictures, which keep their colours, follow it, whatever theme a reader has chosen.
{
  let theme = null;
  const page = document.documentElement;
  addEventListener("beforeprint", () => {
    theme ??= page.dataset.theme;
    page.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    page.dataset.theme = theme ?? page.dataset.theme;
    theme = null;
  });

  const forced = matchMedia("(forced-colors: active)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    const wanted = dark.matches ? "dark" : "light";
    if (forced.matches && theme === null && page.dataset.theme !== wanted) page.dataset.theme = wanted;
  };
  for (const setting of [forced, dark]) setting.addEventListener("change", follow);
  new MutationObserver(follow).observe(page, {attributeFilter: ["data-theme"]});
  follow();
}

// What scrolls in a box of its own can be reached by keyboard, and scrolled. The theme sees to
// code and tables when a page opens; this sees to formulas, and to what a reader unfolds. The edge behind which
// there is more fades out.
{
  const boxes = "pre, .bd-content table, .pst-scrollable-table-container, .math, mjx-container";
  const seen = new WeakSet();
  const more = box =>
    box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  const reach = part => {
    for (const box of part.querySelectorAll(boxes)) {
      if (getComputedStyle(box).overflowX === "visible") continue;
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      more(box);
      if (!seen.has(box)) box.addEventListener("scroll", () => more(box), {passive: true});
      seen.add(box);
    }
  };
  const all = async () => {
    await window.MathJax?.startup?.promise;
    reach(document);
  };
  addEventListener("load", all);
  addEventListener("resize", all);
  document.addEventListener("toggle", event => reach(event.target), true);
}

// A page that is opened from a file may not read the others: the search names them, and says why it shows no more.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  document.addEventListener("DOMContentLoaded", () => {
    const results = document.getElementById("search-results");
    if (!results) return;
    const note = document.createElement("p");
    note.className = "search-from-file";
    note.append(
      "Opened from a file, this search finds pages but shows no excerpts, because a browser lets a file read no other: ",
      "to see them, run ", Object.assign(document.createElement("code"), {textContent: "python -m http.server -b 127.0.0.1"}),
      " in the folder of the site and open ",
      Object.assign(document.createElement("code"), {textContent: "http://localhost:8000"}), ".");
    results.before(note);
  });
}
