// The check list's progress: how many of the checks that were started have answered.
"use strict";

function tell() {
  const list = document.getElementById("checks");
  const progress = document.getElementById("check-progress");
  const done = list.querySelectorAll("[data-checked]").length;
  progress.textContent = done ? `${progress.dataset.say} ${done}/${list.dataset.checks}` : "";
}

document.addEventListener("htmx:afterSwap", tell);
tell();
