// A picture of a page opens as large as the window by a click, a tap or from the keyboard.
document.addEventListener("DOMContentLoaded", () => {
  const pictures = document.querySelectorAll(".bd-article div.cell_output figure img");
  if (!pictures.length) return;
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  const close = Object.assign(document.createElement("button"), {type: "button", textContent: "Close"});
  const box = document.createElement("div");
  box.tabIndex = 0;
  dialog.append(close, box);
  document.body.append(dialog);
  dialog.addEventListener("click", () => dialog.close());

  for (const picture of pictures) {
    const show = () => {
      const copy = picture.cloneNode();
      copy.removeAttribute("style");
      box.replaceChildren(copy);
      dialog.setAttribute("aria-label", picture.alt.slice(0, 80) || "Figure");
      dialog.showModal();
    };
    picture.addEventListener("click", show);
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: "Enlarge"});
    button.className = "enlarge";
    button.addEventListener("click", show);
    (picture.closest("figure").querySelector(".figure-data") ?? picture.parentElement).append(button);
  }
});
