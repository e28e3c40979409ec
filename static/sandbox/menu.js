// The menu bar at the foot of a phone, and the sub-menus that pop up from it.

import { element, link, safeUrl } from "./text.js";

export class MenuBar {
  constructor(nav, tap) {
    this.nav = nav;
    this.tap = tap;
    this.open = null;
    nav.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.open) {
        const opener = this.open;
        this.close();
        opener.focus();
      }
    });
    document.addEventListener("click", (event) => {
      if (!nav.contains(event.target)) this.close();
    });
  }

  show(buttons) {
    this.open = null;
    this.nav.replaceChildren(...buttons.map((button) => this.part(button)));
  }

  enable(on) {
    for (const button of this.nav.querySelectorAll("button")) button.disabled = !on;
  }

  part(button) {
    const part = element("div", "menu-part");
    const below = button.sub_button ?? [];
    if (below.length === 0) {
      part.append(this.entry(button));
      return part;
    }
    const opener = element("button", "", button.name);
    opener.type = "button";
    opener.setAttribute("aria-expanded", "false");
    const list = element("ul", "sub-menu");
    list.hidden = true;
    for (const each of below) {
      const item = element("li");
      item.append(this.entry(each));
      list.append(item);
    }
    opener.addEventListener("click", () => this.toggle(opener));
    part.append(opener, list);
    return part;
  }

  entry(button) {
    const url = button.type === "view" ? safeUrl(button.url) : "";
    const node = url ? link(url, button.name) : element("button", "", button.name);
    if (!url) node.type = "button";
    node.addEventListener("click", () => {
      this.close();
      this.tap(button);
    });
    return node;
  }

  toggle(opener) {
    const wasOpen = this.open === opener;
    this.close();
    if (wasOpen) return;
    opener.setAttribute("aria-expanded", "true");
    opener.nextElementSibling.hidden = false;
    this.open = opener;
  }

  close() {
    if (!this.open) return;
    this.open.setAttribute("aria-expanded", "false");
    this.open.nextElementSibling.hidden = true;
    this.open = null;
  }
}
