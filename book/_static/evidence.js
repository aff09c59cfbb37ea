// The auditor's layer: one switch opens the evidence of all sections. It is remembered, it may stand in the address
// (?evidence=all), and a link to something folded opens its fold. Without this script each fold opens by itself.
document.addEventListener("DOMContentLoaded", () => {
  const folds = [...document.querySelectorAll("details.evidence")];
  const KEY = "deep-limits-evidence";

  const remembered = () => {
    try { return localStorage.getItem(KEY) === "all"; } catch { return false; }
  };
  const remember = all => {
    try { all ? localStorage.setItem(KEY, "all") : localStorage.removeItem(KEY); } catch { /* not allowed here */ }
  };

  const reveal = hash => {
    let target;
    try { target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1))); } catch { return; }
    const closed = [];
    for (let fold = target && target.closest("details"); fold; fold = fold.parentElement.closest("details"))
      if (!fold.open) closed.push(fold);
    for (const fold of closed) fold.open = true;
    if (closed.length) target.scrollIntoView();
  };

  if (folds.length) {
    const box = Object.assign(document.createElement("input"), {type: "checkbox"});
    const label = document.createElement("label");
    label.className = "evidence-switch";
    label.append(box, " show all evidence");
    document.querySelector(".bd-article h1")?.after(label);

    const show = all => {
      box.checked = all;
      document.documentElement.toggleAttribute("data-evidence", all);
      for (const fold of folds) fold.open = all;
    };
    const inAddress = new URLSearchParams(location.search).get("evidence") === "all";
    if (inAddress || remembered()) show(true);

    box.addEventListener("change", () => {
      show(box.checked);
      remember(box.checked);
      const address = new URL(location);
      if (box.checked) address.searchParams.set("evidence", "all");
      else address.searchParams.delete("evidence");
      history.replaceState(history.state, "", address);
    });
  }
  reveal(location.hash);
  addEventListener("hashchange", () => reveal(location.hash));
  // A link to where one is already changes no address.
  document.addEventListener("click", event => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.hash === location.hash) reveal(link.hash);
  });
});
