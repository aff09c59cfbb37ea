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

// On paper the book is light, whatever it is on the screen.
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
}

// What scrolls in a box of its own can be reached by keyboard, and scrolled. The theme sees to
// code and tables when a page opens; this sees to formulas, and to what a reader unfolds.
{
  const boxes = "pre, .bd-content table, .pst-scrollable-table-container, .math, mjx-container";
  const reach = part => {
    for (const box of part.querySelectorAll(boxes))
      if (box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible") box.tabIndex = 0;
  };
  const all = async () => {
    await window.MathJax?.startup?.promise;
    reach(document);
  };
  addEventListener("load", all);
  addEventListener("resize", all);
  document.addEventListener("toggle", event => reach(event.target), true);
}
