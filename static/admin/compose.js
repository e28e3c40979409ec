// 新建群发: placeholders go in where one was typing; what another choice makes idle is put away.
"use strict";

const form = document.getElementById("compose");
let last = null;

form.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-takes-placeholders]")) {
    last = event.target;
  }
});

form.addEventListener("click", (event) => {
  const button = event.target.closest("[data-insert]");
  if (!button) {
    return;
  }
  const field = last?.isConnected ? last : form.querySelector("[data-takes-placeholders]");
  if (field) {
    field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

function putAway() {
  for (const part of form.querySelectorAll("[data-for]")) {
    const [name, value] = part.dataset.for.split(/!?=/);
    const isChosen = form.querySelector(`input[name="${name}"]:checked`)?.value === value;
    part.hidden = part.dataset.for.includes("!=") ? isChosen : !isChosen;
    if (!part.hidden && part.tagName === "DETAILS") {
      part.open = true;
    }
  }
}

form.addEventListener("change", putAway);
window.addEventListener("pageshow", putAway);
putAway();
