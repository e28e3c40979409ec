// The console's frame: the menu on a phone, tokens for htmx, questions before what cannot be undone.
"use strict";

(() => {
  document.documentElement.classList.add("has-script");

  const menuButton = document.querySelector(".console-menu-button");
  const menu = document.getElementById("console-menu");

  function openMenu(isOpen) {
    menu.classList.toggle("is-open", isOpen);
    menuButton.setAttribute("aria-expanded", String(isOpen));
  }

  if (menuButton && menu) {
    menuButton.addEventListener("click", () => {
      const isOpen = menuButton.getAttribute("aria-expanded") !== "true";
      openMenu(isOpen);
      if (isOpen) {
        menu.querySelector("a, summary")?.focus();
      }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menuButton.getAttribute("aria-expanded") === "true") {
        openMenu(false);
        menuButton.focus();
      }
    });
  }

  // what was refused is read out, and reached with the next press of Tab
  document.querySelector(".console-errors")?.focus();

  // whoever is signed out while they write keeps the page: they sign in in another tab and go on
  let signedOut = "";
  let hasNewToken = false;

  function lookAgain() {
    for (const form of document.forms) {
      form.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  window.addEventListener("focus", () => {
    if (signedOut) {
      lookAgain();
    }
  });

  document.addEventListener("console:signed-out", () => {
    signedOut = "…";
  });

  document.addEventListener("console:token", (event) => {
    const meta = document.querySelector('meta[name="csrf-token"]');
    if (meta.dataset.operator !== event.detail.operator) {
      return; // somebody else has signed in: this page is not theirs
    }
    meta.content = event.detail.token;
    for (const field of document.querySelectorAll('input[name="_csrf"]')) {
      field.value = event.detail.token;
    }
    signedOut = "";
    hasNewToken = true;
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (signedOut && form.method === "post") {
      event.preventDefault(); // it would be refused, and what was typed lost
      say(signedOut);
      lookAgain();
      return;
    }
    const question = event.submitter?.dataset.confirm || form.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (form.dataset.sent) {
      event.preventDefault(); // a second press of the same button
      return;
    }
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      form.dataset.sent = "1";
      setTimeout(() => delete form.dataset.sent, 3000); // a download leaves the page where it is
    }
  });

  // a page that comes back from the browser's memory can be sent again
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
    }
  });

  const WORDS =
    document.documentElement.lang === "en"
      ? { failed: "Not done; reload the page and try again.", away: "The server was not reached; check the network." }
      : { failed: "没有完成，请刷新页面后重试。", away: "没有连上服务器，请检查网络后重试。" };

  function say(text) {
    const notice = document.getElementById("console-notice");
    if (notice && notice.textContent !== text) {
      notice.replaceChildren();
      const alert = document.createElement("div");
      alert.className = "alert alert-danger";
      alert.textContent = text;
      notice.append(alert);
    }
  }

  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector('meta[name="csrf-token"]');
    if (token) {
      event.detail.headers["X-CSRF-Token"] = token.content;
    }
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 422) {
      event.detail.shouldSwap = true; // a form with sentences beside its fields
      event.detail.isError = false;
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    if (hasNewToken) {
      hasNewToken = false;
      document.getElementById("console-notice")?.replaceChildren();
      lookAgain();
      return;
    }
    const parsed = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const told = parsed.querySelector('[role="alert"]')?.textContent.trim() || WORDS.failed;
    signedOut = signedOut && told;
    say(told);
  });

  document.addEventListener("htmx:sendError", () => {
    say(WORDS.away);
  });
})();
