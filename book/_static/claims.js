// Filters of the claims page: by paper, by status and by words. Without this script everything is shown.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("claim-filters");
  const table = place && document.querySelector("main table");
  if (!table) return;
  const rows = [...table.tBodies[0].rows].map(row => {
    const link = row.cells[1].querySelector("a");
    const anchor = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const entry = document.querySelector(`.bd-sidebar-secondary a[href="${link.hash}"]`)?.closest("li");
    return {row, entry, section: anchor.closest("section"), status: row.cells[0].textContent.trim(),
            papers: row.cells[2].textContent.trim().split(", ")};
  });

  const choice = (name, values) => {
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...values.map(value => new Option(value)));
    return labelled(name, select);
  };
  const labelled = (name, control) => {
    const label = document.createElement("label");
    label.append(name + " ", control);
    place.append(label);
    control.addEventListener("input", apply);
    return control;
  };
  const count = document.createElement("output");
  const unique = values => [...new Set(values)];
  const paper = choice("Paper", unique(rows.flatMap(each => each.papers)));
  const status = choice("Status", unique(rows.map(each => each.status)));
  const words = labelled("Words", Object.assign(document.createElement("input"), {type: "search"}));
  place.append(count);

  function apply() {
    const sought = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const each of rows) {
      const text = each.section.textContent.toLowerCase();
      const fits = (!paper.value || each.papers.includes(paper.value))
        && (!status.value || each.status === status.value) && sought.every(word => text.includes(word));
      each.row.hidden = each.section.hidden = !fits;
      if (each.entry) each.entry.hidden = !fits;
      shown += fits;
    }
    count.value = `${shown} of ${rows.length} shown`;
  }
  apply();
});
