// Texts of the account: links become links, everything else stays text.

const PIECE = /<a\s([^>]*)>([\s\S]*?)<\/a>|(https?:\/\/[^\s<>"'，。；、）】]+)/gi;
const HREF = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i;
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function safeUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : "";
  } catch {
    return "";
  }
}

export function link(url, text, className) {
  const made = element("a", className, text);
  made.href = url;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

// Put `text` into `parent`; `say` is called for links that speak, weixin://bizmsgmenu?…
export function fill(parent, text, say) {
  let done = 0;
  for (const match of text.matchAll(PIECE)) {
    parent.append(text.slice(done, match.index));
    parent.append(match[3] ? bare(match[3]) : anchor(match[1], match[2], match[0], say));
    done = match.index + match[0].length;
  }
  parent.append(text.slice(done));
}

function bare(address) {
  const url = safeUrl(address);
  return url ? link(url, address) : address;
}

function anchor(attributes, inner, whole, say) {
  const found = HREF.exec(attributes);
  const target = decode(found ? (found[1] ?? found[2] ?? found[3]) : "");
  const text = decode(inner.replace(/<[^>]*>/g, ""));
  const url = safeUrl(target);
  if (url) return link(url, text);
  if (target.startsWith("weixin://bizmsgmenu?")) {
    const query = new URLSearchParams(target.slice(target.indexOf("?")));
    const button = element("button", "tap", text);
    button.type = "button";
    button.addEventListener("click", () =>
      say(query.get("msgmenucontent") ?? text, query.get("msgmenuid") ?? ""),
    );
    return button;
  }
  return attributes.includes("data-miniprogram-appid") ? text : whole;
}

function decode(text) {
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity]);
}
