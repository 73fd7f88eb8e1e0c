// Chooses the view by the URL, and keeps it up to date with a stream of server-sent events.

import { h, update } from "./dom.js";
import { setClock, zone } from "./format.js";
import * as rule from "./rule.js";
import * as rules from "./rules.js";
import * as worker from "./worker.js";

const VIEWS = {
  "/": { view: rules, data: "/status.json", events: "/events" },
  "/rule": { view: rule, data: "/rule.json", events: "/events/rule" },
  "/worker": { view: worker, data: "/worker.json", events: "/events/worker" },
};
const main = document.getElementById("main");
const filters = document.getElementById("filters");
const live = document.getElementById("live");
const RETRY = 5000;
let stream = null;
let again = 0;
let data = null;

const current = () => VIEWS[location.pathname] ?? VIEWS["/"];
const parameters = () => new URLSearchParams(location.search);

// Show another URL of this page. `typed`: a person is typing in a filter, so the form stays as it
// is, and the browser's history gets no entry.
export function go(url, typed = false) {
  const before = location.pathname + current().view.subject(parameters());
  history[typed ? "replaceState" : "pushState"](null, "", url);
  const isSame = before === location.pathname + current().view.subject(parameters());
  if (isSame) draw();
  else open(typed);
}

function open(typed = false) {
  const { view, data: json, events } = current();
  stream?.close();
  clearTimeout(again);
  const query = view.query(parameters());
  document.getElementById("json").href = json + query;
  document.getElementById("json").textContent = json + query;
  stream = new EventSource(events + query);
  stream.onmessage = (event) => {
    data = JSON.parse(event.data);
    setClock(data.at);
    live.className = "";
    draw();
  };
  stream.onerror = () => {
    live.className = "bad";
    const isRefused = stream.readyState === EventSource.CLOSED;
    live.textContent = isRefused ? "the worker refuses more viewers; trying again" : "no connection to the worker; trying again";
    // A browser connects again by itself after a lost connection, but not after a refusal.
    clearTimeout(again);
    if (isRefused) again = setTimeout(() => open(true), RETRY);
  };
  if (typed) return;
  update(filters, h("div", {}, view.filters?.(parameters()) ?? []));
  view.opened?.();
  data = null;
  update(main, h("div", {}, h("p", {}, "Loading.")));
}

function showLeader() {
  live.className = data.leads || data.leader ? "" : "bad";
  live.textContent = data.leads ? "live, this worker leads"
    : data.leader ? `live, this worker stands by, ${data.leader.identity} leads` : "live, no worker leads";
}

function draw() {
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (data === null) return;
  if (stream.readyState === EventSource.OPEN) showLeader();
  document.title = current().view.title(data, parameters());
  update(main, h("div", {}, current().view.render(data, parameters(), draw)));
  current().view.drawn?.(data, parameters());
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href^='/']");
  if (link && link.pathname in VIEWS && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    go(link.href);
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    live.textContent = "copied";
  }
  current().view.clicked?.(event, parameters(), go, draw);
});
document.addEventListener("input", (event) => current().view.changed?.(event, parameters(), go));
document.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => current().view.pressed?.(event, parameters(), go, draw));
window.addEventListener("popstate", () => open());
window.addEventListener("resize", draw);
const choice = document.getElementById("zone");
choice.value = zone();
choice.addEventListener("change", () => {
  localStorage.setItem("zone", choice.value);
  draw();
});
setInterval(draw, 10000);
open();
