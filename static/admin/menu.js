// Dragging in the menu editor. Rows carry their own fields, so moving a row is all there is to do;
// the server then shows the editor anew. Everything here can be done with the rows' buttons too.
"use strict";

function showProgram(action) {
  const type = action.querySelector("select")?.value ?? "";
  const program = action.querySelector(".menu-program");
  if (program) program.hidden = type !== "miniprogram";
}

function look() {
  const form = document.getElementById("menu-form");
  window.htmx.ajax("POST", form.dataset.look, {
    source: form,
    target: "#menu-editor",
    swap: "outerHTML",
    values: { do: "look" },
  });
}

function prepare() {
  for (const action of document.querySelectorAll(".menu-action")) showProgram(action);
  if (!window.Sortable || !document.querySelector(".menu-orders")) return;
  for (const list of document.querySelectorAll("[data-sort]")) {
    if (list.dataset.isSorted) continue;
    list.dataset.isSorted = "1";
    const most = list.dataset.sort === "below" ? 5 : 3;
    window.Sortable.create(list, {
      group: { name: list.dataset.sort, put: (to) => to.el.children.length < most },
      handle: ".menu-handle",
      draggable: "[data-row]",
      animation: 120,
      onEnd: look,
    });
  }
  document.documentElement.classList.add("can-drag");
}

document.addEventListener("change", (event) => {
  const action = event.target.closest?.(".menu-action");
  if (action) showProgram(action);
});
document.addEventListener("htmx:afterSettle", prepare);
prepare();
