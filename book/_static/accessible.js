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
