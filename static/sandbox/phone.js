// One citizen's phone: what the citizen does goes to the control API, what happens comes back
// through the live feed, so that several pages show the same chat.

import { lineNode, timeMark } from "./lines.js";
import { MenuBar } from "./menu.js";
import { element } from "./text.js";

const STATES = {
  stranger: "未关注",
  follows: "已关注",
  left: "已取消关注",
  muted: "已关注，拒收消息",
  blacklisted: "已关注，在黑名单",
  frozen: "账号被冻结",
};
const QUIET = 5 * 60 * 1000; // a pause after which the chat shows the time again
const KEPT_EXCHANGES = 12;
const RAW = [
  ["push", "推送（明文）"],
  ["push_sent", "推送（实际发出）"],
  ["reply", "回复（明文）"],
  ["reply_received", "回复（实际收到）"],
];

export class Phone {
  constructor(section, account, dialogs) {
    this.section = section;
    this.account = account;
    this.dialogs = dialogs;
    this.openid = section.dataset.openid;
    this.name = section.dataset.name;
    this.lastSeq = 0;
    this.lastExchange = 0;
    this.lastAt = 0;
    this.waiting = 0;
    this.chat = this.find(".chat");
    this.input = this.find("input[name=text]");
    this.voice = this.find(".voice");
    this.menu = new MenuBar(this.find(".menu"), (button) => this.tap(button));
    this.listen();
    this.setState(section.dataset.state);
  }

  find(selector) {
    return this.section.querySelector(selector);
  }

  listen() {
    const deeds = {
      follow: () => this.post("follow"),
      unfollow: () => this.post("unfollow"),
      voice: () => this.toggleVoice(),
      more: () => this.toggleMore(),
      scan: () => this.scan(),
      location: () => this.sendPlace(),
      image: () => this.post("image"),
      link: () =>
        this.post("link", {
          title: "办事指南",
          description: "居住证办理",
          url: "https://example.org/guide",
        }),
    };
    for (const button of this.section.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => deeds[button.dataset.do]());
    }
    this.find(".composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  get isFollowing() {
    return !["stranger", "left"].includes(this.section.dataset.state);
  }

  setState(state) {
    this.section.dataset.state = state;
    this.find(".follow-state").textContent = STATES[state] ?? state;
    const controls = ".composer input, .composer button, .more button";
    for (const control of this.section.querySelectorAll(controls)) {
      const isForAll = ["more", "scan"].includes(control.dataset.do); // a stranger may scan
      control.disabled = !this.isFollowing && !isForAll;
    }
    this.hint();
    this.menu.enable(this.isFollowing);
  }

  setMenu(buttons) {
    this.menu.show(buttons);
    this.menu.enable(this.isFollowing);
  }

  addLine(line) {
    if (line.seq <= this.lastSeq) return;
    this.lastSeq = line.seq;
    const at = Date.parse(line.at);
    if (Math.abs(at - this.lastAt) > QUIET) this.chat.append(timeMark(line.at));
    this.lastAt = at;
    const node = lineNode(line, this);
    node.dataset.seq = line.seq;
    this.chat.append(node);
    this.chat.scrollTop = this.chat.scrollHeight;
  }

  addExchange(exchange) {
    if (exchange.seq <= this.lastExchange) return;
    this.lastExchange = exchange.seq;
    this.find(".raw-empty").hidden = true;
    const item = element("li");
    const title = `${exchange.event}：${exchange.deliveries} 次投递，${exchange.milliseconds} 毫秒`;
    item.append(element("h3", "", title));
    for (const [name, label] of RAW) {
      const text = exchange.raw[name];
      const repeats = name.startsWith("push_") && text === exchange.raw.push;
      if (!text || repeats || (name === "reply_received" && text === exchange.raw.reply)) continue;
      item.append(element("p", "", label));
      const block = element("pre", "", text);
      block.tabIndex = 0;
      item.append(block);
    }
    const list = this.find(".exchanges");
    list.prepend(item);
    while (list.children.length > KEPT_EXCHANGES) list.lastElementChild.remove();
  }

  async send() {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = "";
    const speaks = this.voice.getAttribute("aria-pressed") === "true";
    const sent = await this.post(speaks ? "voice" : "text", { text: speaks ? `${text}。` : text });
    if (!sent && !this.input.value) this.input.value = text;
  }

  tapItem(text, id) {
    return this.post("text", { text, menu_id: id });
  }

  tap(button) {
    const { type, name, key } = button;
    if (type === "click") return this.post("click", { key, name });
    if (type === "view") return this.post("view", { url: button.url, name });
    if (type.startsWith("scancode")) return this.scanFor(type, key);
    if (type === "location_select") return this.placeFor(key);
    if (type.startsWith("pic")) return this.pictureFor(type, key);
    return this.complain(`沙盒不能打开“${name}”（${type}）。`);
  }

  toggleVoice() {
    const on = this.voice.getAttribute("aria-pressed") !== "true";
    this.voice.setAttribute("aria-pressed", String(on));
    this.hint();
  }

  hint() {
    const speaks = this.voice.getAttribute("aria-pressed") === "true";
    const invitation = speaks ? "说什么（作为语音发送）" : "输入消息";
    this.input.placeholder = this.isFollowing ? invitation : "关注后即可对话";
  }

  toggleMore(open = this.find(".more").hidden) {
    this.find(".more").hidden = !open;
    this.find("[data-do=more]").setAttribute("aria-expanded", String(open));
  }

  async scan() {
    this.toggleMore(false);
    const scene = await this.dialogs.scene();
    if (scene) await this.post("scan", { scene });
  }

  async sendPlace() {
    this.toggleMore(false);
    const place = await this.dialogs.place();
    if (place) await this.post("location", place);
  }

  async scanFor(type, key) {
    const result = await this.dialogs.scene();
    if (!result) return;
    const fields = { EventKey: key, ScanCodeInfo: { ScanType: "qrcode", ScanResult: result } };
    await this.post("event", { event: type, fields });
  }

  async placeFor(key) {
    const place = await this.dialogs.place();
    if (!place) return;
    const { latitude, longitude, label } = place;
    const info = { Location_X: latitude, Location_Y: longitude, Scale: 15, Label: label, Poiname: "" };
    const fields = { EventKey: key, SendLocationInfo: info };
    await this.post("event", { event: "location_select", fields });
    await this.post("location", place);
  }

  async pictureFor(type, key) {
    const item = [{ PicMd5Sum: "0cc175b9c0f1b6a831c399e269772661" }];
    const fields = { EventKey: key, SendPicsInfo: { Count: 1, PicList: { item } } };
    await this.post("event", { event: type, fields });
    await this.post("image");
  }

  // Returns whether the sandbox took it; the chat itself comes through the feed.
  async post(verb, content = {}) {
    this.complain("");
    this.chat.setAttribute("aria-busy", String(++this.waiting > 0));
    try {
      const response = await fetch(`/sandbox/control/${verb}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ account: this.account, openid: this.openid, ...content }),
      });
      if (!response.ok) {
        const answer = await response.json().catch(() => ({}));
        this.complain(`没有发出：${answer.error ?? response.status}`);
      }
      return response.ok;
    } catch {
      this.complain("沙盒没有响应，请确认它还在运行。");
      return false;
    } finally {
      this.chat.setAttribute("aria-busy", String(--this.waiting > 0));
    }
  }

  complain(text) {
    const place = this.find(".complaint");
    place.textContent = text;
    place.hidden = !text;
  }
}

