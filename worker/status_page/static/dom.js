// Elements from plain functions, and an update in place that keeps focus, selection and scroll.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "rect", "line", "text", "title"]);

// An element. Text is always a text node, so nothing in the data becomes markup.
export function h(tag, attributes = {}, ...children) {
  const made = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) made.append(child);
  }
  return made;
}

// Make the children of `live` those of `made`. Nodes that are equal stay as they are.
// Elements with `data-key` are matched by it, others by their position.
export function update(live, made) {
  const keyed = new Map();
  for (const each of live.children) if (each.dataset?.key) keyed.set(each.dataset.key, each);
  let at = live.firstChild;
  for (const next of [...made.childNodes]) {
    const key = next.dataset?.key;
    const old = key ? keyed.get(key) : at;
    if (old && old !== at && key) live.insertBefore(old, at);
    if (old && old.nodeName === next.nodeName && (old.dataset?.key ?? "") === (key ?? "")) {
      if (old === at) at = at.nextSibling;
      updateNode(old, next);
    } else {
      live.insertBefore(next, at);
    }
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

function updateNode(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // What a person opened stays open.
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  update(old, next);
}
