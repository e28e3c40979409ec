// How each line of a chat looks.

import { element, fill, link, safeUrl } from "./text.js";

const beijing = { timeZone: "Asia/Shanghai", hour12: false };
const clock = new Intl.DateTimeFormat("zh-CN", { ...beijing, hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("zh-CN", { ...beijing, month: "long", day: "numeric" });

export function timeOf(iso) {
  return clock.format(new Date(iso));
}

export function timeMark(iso) {
  return element("p", "time", `${day.format(new Date(iso))} ${timeOf(iso)}`);
}

// Returns the node for one line, or null when there is nothing to show.
export function lineNode(line, phone) {
  if (line.kind === "mark") return element("p", "mark", line.text);
  if (line.kind === "notice") return notice(line);
  if (line.kind === "transfer_customer_service") {
    return element("p", "mark", "已为您转接人工客服，请稍候");
  }
  if (line.kind === "card") return card(line);
  if (line.kind === "news") return news(line);
  if (line.kind === "link" && line.side === "citizen") return bubble(line, phone, linkCard(line));
  return bubble(line, phone, content(line, phone));
}

function notice(line) {
  const node = element("p", "notice", line.text);
  node.append(element("small", "", `沙盒诊断：${line.reason}`));
  return node;
}

function bubble(line, phone, inside) {
  const side = line.side === "citizen" ? "citizen" : "account";
  const row = element("div", `line of-${side}`);
  const avatar = element("span", "avatar", side === "citizen" ? phone.name.slice(0, 1) : "政");
  avatar.setAttribute("aria-hidden", "true");
  const node = element("div", `bubble from-${side}`);
  node.append(element("span", "visually-hidden", side === "citizen" ? "我：" : "公众号："));
  node.append(...[inside].flat());
  row.append(avatar, node);
  return row;
}

function content(line, phone) {
  switch (line.kind) {
    case "text": {
      const span = element("span");
      fill(span, line.text, (text, id) => phone.tapItem(text, id));
      return span;
    }
    case "voice": {
      const seconds = Math.max(1, Math.round((line.text ?? "").length / 3));
      const spoken = line.text ? [element("span", "spoken", line.text)] : [];
      return [element("span", "", `语音 ${seconds}″`), ...spoken];
    }
    case "image":
      return element("span", "picture", "图片");
    case "video":
    case "shortvideo":
      return element("span", "picture", line.title || "视频");
    case "location":
      return [element("span", "", "位置"), element("span", "spoken", line.label)];
    case "music":
      return `音乐：${line.title}`;
    case "msgmenu":
      return menuMessage(line, phone);
    default:
      return `［${line.kind}］`;
  }
}

function linkCard(line) {
  const url = safeUrl(line.url);
  return url ? link(url, line.title) : line.title;
}

function menuMessage(line, phone) {
  const items = line.items.map((item) => {
    const button = element("button", "tap item", item.text);
    button.type = "button";
    button.addEventListener("click", () => phone.tapItem(item.text, item.id));
    return button;
  });
  return [element("span", "", line.text), ...items, element("span", "", line.tail)];
}

function card(line) {
  const node = element("article", "card");
  const when = element("time", "", timeOf(line.at));
  when.dateTime = line.at;
  const list = element("dl");
  for (const field of line.fields) {
    list.append(element("dt", "", field.label), element("dd", "", field.value));
  }
  if (line.origin === "subscription") node.append(element("p", "kind", "订阅通知"));
  node.append(element("h3", "", line.title), when, list);
  const url = safeUrl(line.url);
  if (url) node.append(link(url, "查看详情", "open"));
  return node;
}

function news(line) {
  const node = element("article", "card");
  for (const article of line.articles) {
    node.append(element("h3", "", article.title), element("p", "", article.description ?? ""));
    const url = safeUrl(article.url);
    if (url) node.append(link(url, "阅读全文", "open"));
  }
  return node;
}
