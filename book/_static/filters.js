// Filters of a long list: of the claims, of the figures. Their state stands in the address, so that a selection can be
// linked and comes back. What is listed says its values in data attributes; without this script everything is shown.
//   <div class="filters" data-of="selector" data-by='{"page": "Page", …}'></div>
document.addEventListener("DOMContentLoaded", () => {
  for (const place of document.querySelectorAll(".filters")) {
    const items = [...document.querySelectorAll(place.dataset.of)];
    const filters = JSON.parse(place.dataset.by);
    const values = (item, name) => (item.dataset[name] ?? "").split("|").filter(Boolean);

    const controls = {};
    const labelled = (name, words, control) => {
      const label = document.createElement("label");
      label.append(words + " ", control);
      place.append(label);
      control.addEventListener("input", () => { apply(); write(); });
      controls[name] = control;
    };
    for (const [name, words] of Object.entries(filters)) {
      const select = document.createElement("select");
      const found = [...new Set(items.flatMap(item => values(item, name)))];
      select.append(new Option("all", ""), ...found.map(value => new Option(value)));
      labelled(name, words, select);
    }
    labelled("words", "Words", Object.assign(document.createElement("input"), {type: "search"}));
    const count = document.createElement("output");
    place.append(count);

    const apply = () => {
      const sought = controls.words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of items) {
        const text = `${item.dataset.words ?? ""} ${item.textContent}`.toLowerCase();
        const fits = sought.every(word => text.includes(word)) && Object.keys(filters).every(
          name => !controls[name].value || values(item, name).includes(controls[name].value));
        item.hidden = !fits;
        shown += fits;
      }
      count.value = `${shown} of ${items.length} shown`;
    };
    const write = () => {
      const address = new URL(location);
      for (const [name, control] of Object.entries(controls))
        if (control.value) address.searchParams.set(name, control.value);
        else address.searchParams.delete(name);
      history.replaceState(history.state, "", address);
    };
    const read = () => {
      const asked = new URLSearchParams(location.search);
      for (const [name, control] of Object.entries(controls)) {
        control.value = asked.get(name) ?? "";
        if (control.selectedIndex < 0) control.value = "";
      }
      apply();
    };
    read();
    addEventListener("popstate", read);
  }
});
