// The page: phones, switcher, account choice, dialogs and the live feed.

import { Phone } from "./phone.js";

const main = document.querySelector(".phones");
const accounts = document.querySelector("#account");
const connection = document.querySelector(".connection");

accounts.addEventListener("change", () => accounts.form.submit());
if (main) start();

function start() {
  const account = main.dataset.account;
  const phones = new Map();
  for (const section of main.querySelectorAll(".phone")) {
    phones.set(section.dataset.openid, new Phone(section, account, dialogs()));
  }
  const switcher = document.querySelector(".switcher");
  for (const button of switcher.querySelectorAll("button")) {
    button.addEventListener("click", () => choose(button, switcher, phones));
  }
  follow(account, phones, switcher);
}

function choose(button, switcher, phones) {
  for (const each of switcher.querySelectorAll("button")) {
    each.setAttribute("aria-pressed", String(each === button));
  }
  button.classList.remove("has-news");
  for (const [openid, phone] of phones) {
    const chosen = openid === button.dataset.switch;
    phone.section.classList.toggle("is-chosen", chosen);
    if (chosen) phone.chat.scrollTop = phone.chat.scrollHeight;
  }
}

function follow(account, phones, switcher) {
  const query = new URLSearchParams({ account });
  for (const openid of phones.keys()) query.append("openid", openid);
  const feed = new EventSource(`/sandbox/events?${query}`);
  const on = (kind, handle) =>
    feed.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
  on("line", (line) => {
    phones.get(line.openid)?.addLine(line);
    const button = switcher.querySelector(`[data-switch="${CSS.escape(line.openid)}"]`);
    if (button?.getAttribute("aria-pressed") === "false") button.classList.add("has-news");
  });
  on("exchange", (exchange) => phones.get(exchange.openid)?.addExchange(exchange));
  on("state", (news) => phones.get(news.openid)?.setState(news.state));
  on("menu", (menu) => {
    for (const phone of phones.values()) phone.setMenu(menu.button ?? []);
  });
  feed.addEventListener("open", () => (connection.hidden = true));
  feed.addEventListener("error", () => (connection.hidden = false));
}

function dialogs() {
  const ask = (selector, read) => {
    const dialog = document.querySelector(selector);
    dialog.returnValue = "cancel";
    dialog.showModal();
    return new Promise((resolve) => {
      const closed = () => resolve(dialog.returnValue === "ok" ? read(dialog) : null);
      dialog.addEventListener("close", closed, { once: true });
    });
  };
  return {
    scene: () => ask("#scan-dialog", (dialog) => dialog.querySelector("#scene").value.trim()),
    place: () =>
      ask("#place-dialog", (dialog) => {
        const { dataset, value } = dialog.querySelector("#place").selectedOptions[0];
        const { latitude, longitude } = dataset;
        return { latitude: Number(latitude), longitude: Number(longitude), label: value };
      }),
  };
}
