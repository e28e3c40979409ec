// Pages whose stream was refused or broke ask for the same numbers every five seconds until it is back.
"use strict";

const live = document.getElementById("broadcast-live");
let polling = 0;

function poll() {
  window.htmx.ajax("GET", live.dataset.poll, { target: "#broadcast-progress", swap: "innerHTML" });
}

if (live && live.dataset.poll) {
  live.addEventListener("htmx:sseError", () => {
    polling ||= window.setInterval(poll, 5000);
  });
  live.addEventListener("htmx:sseOpen", () => {
    window.clearInterval(polling);
    polling = 0;
  });
  live.addEventListener("htmx:sseClose", () => {
    window.clearInterval(polling);
    polling = 0;
  });
}
