// The timeline: lanes of windows over time, with zoom by buttons, drag and keys.

import { h } from "./dom.js";
import { absolute, length, now, plural, time } from "./format.js";

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const LONGEST = 30 * DAY;
const ROW = 36, BAR = 18, AXIS = 22;
const STEPS = [SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
const CLICKABLE = 5; // pixels of a window from which a click opens it; below, a click zooms in
const MOST_LINES = 400;
const ZOOMS = [["30 days", LONGEST], ["7 days", 7 * DAY], ["1 day", DAY], ["6 hours", 6 * HOUR], ["1 hour", HOUR]];

let shown = null; // {from, to} in milliseconds, or null: all lanes
let lanes = [];
let drag = null;
let cursor = null; // {lane, at}: the window that keys move

const bounds = () => {
  const segments = lanes.flatMap((lane) => lane.segments);
  const first = Math.min(...segments.map((each) => Date.parse(each.start)), now() - DAY);
  const last = Math.max(...segments.map((each) => Date.parse(each.end)), now());
  return { from: Math.max(first, last - 2 * LONGEST), to: last + (last - first) * 0.02 };
};
const range = () => shown ?? bounds();
const width = () => Math.max(280, (document.getElementById("main").clientWidth || 900) - 2);

function zoom(from, to) {
  const limit = bounds();
  const span = Math.min(Math.max(to - from, 10 * SECOND), limit.to - limit.from + 2 * DAY);
  const start = Math.min(Math.max(from, limit.from - DAY), limit.to + DAY - span);
  shown = { from: start, to: start + span };
}

export function timeline(all) {
  lanes = all;
  if (!lanes.length) return h("p", {}, "No window is known yet.");
  const { from, to } = range(), wide = width();
  const x = (at) => ((at - from) / (to - from)) * wide;
  const height = lanes.length * ROW + AXIS;
  return h("div", { class: "timeline" },
    h("p", { class: "zooms" }, ZOOMS.map(([text, span]) => h("button", { type: "button", "data-span": String(span) }, text)),
      h("button", { type: "button", "data-span": "all" }, "all"),
      h("button", { type: "button", "data-zoom": "0.5", "aria-label": "zoom in" }, "+"),
      h("button", { type: "button", "data-zoom": "2", "aria-label": "zoom out" }, "−"),
      h("span", {}, ` ${absolute(whole(from))} to ${absolute(whole(to))} (${length((to - from) / 1000)})`)),
    h("svg", { id: "timeline", width: wide, height, viewBox: `0 0 ${wide} ${height}`, tabindex: "0", role: "application",
      "aria-label": `timeline of ${plural(lanes.length, "lane")}. Left and right move, plus and minus zoom, up and down choose a lane, Enter opens the window.` },
      axis(from, to, x, height), lanes.map((lane, index) => drawLane(lane, index, from, to, x, wide)), marker(x)),
    h("ul", { class: "lanes" }, lanes.map((lane, index) => h("li", { "data-key": String(index) }, `${index + 1}. ${inWords(lane)}`))),
    h("p", { class: "legend", "aria-hidden": "true" }, ["done", "running", "failed", "waiting", "skipped", "not run"].map((state) =>
      h("span", {}, h("i", { class: `s-${state.replace(" ", "-")}` }), state))));
}

function inWords(lane) {
  const counts = new Map();
  for (const each of lane.segments) {
    const windows = Math.max(1, Math.round((Date.parse(each.end) - Date.parse(each.start)) / 1000 / lane.interval));
    counts.set(each.state, (counts.get(each.state) ?? 0) + windows);
  }
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(", ") || "no window is known yet";
  if (lane.kind === "schedule") return `Schedule: ${states}`;
  const who = [lane.requestId && `request ${lane.requestId}`, lane.requestedBy && `by ${lane.requestedBy}`, lane.requestedAt && time(lane.requestedAt)].filter(Boolean);
  return `Backfill ${lane.phase}: ${states}${who.length ? ` (${who.join(", ")})` : ""}`;
}

function drawLane(lane, index, from, to, x, wide) {
  const top = index * ROW + 14;
  const parts = lane.segments.filter((each) => Date.parse(each.end) > from && Date.parse(each.start) < to);
  // What failed or runs is drawn last, and is never narrower than two pixels.
  parts.sort((one, other) => rank(one) - rank(other));
  const bars = parts.map((each) => {
    const left = Math.max(0, x(Date.parse(each.start))), right = Math.min(wide, x(Date.parse(each.end)));
    const least = rank(each) ? 2 : 0.5;
    return h("rect", { x: left.toFixed(1), y: top, width: Math.max(least, right - left).toFixed(1), height: BAR, class: `s-${each.state.replace(" ", "-")}` },
      h("title", {}, `${each.state}: ${each.start} to ${each.end}`));
  });
  const step = lane.interval * 1000, pixels = (step / (to - from)) * wide;
  const lines = [];
  if (pixels >= CLICKABLE) {
    const first = Date.parse(lane.segments[0].start);
    const last = Math.min(to, Date.parse(lane.segments.at(-1).end));
    for (let at = first + Math.max(0, Math.ceil((from - first) / step)) * step; at < last && lines.length < MOST_LINES; at += step) {
      lines.push(h("line", { x1: x(at).toFixed(1), x2: x(at).toFixed(1), y1: top, y2: top + BAR, class: "edge" }));
    }
  }
  return h("g", { "data-lane": String(index) }, h("text", { x: 2, y: top - 3, class: "lane" }, `${index + 1}. ${lane.kind} ${lane.requestId}`), bars, lines);
}

const rank = (segment) => ({ failed: 2, running: 1, sending: 1, skipped: 1 })[segment.state] ?? 0;

function axis(from, to, x, height) {
  const step = STEPS.find((each) => (to - from) / each <= Math.max(3, width() / 110)) ?? STEPS.at(-1);
  const marks = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) {
    const text = new Date(at).toISOString();
    const label = step >= DAY ? text.slice(5, 10) : step >= MINUTE ? (at % DAY ? text.slice(11, 16) : text.slice(5, 10)) : text.slice(11, 19);
    marks.push(h("line", { x1: x(at).toFixed(1), x2: x(at).toFixed(1), y1: 0, y2: height - AXIS, class: "tick" }),
      h("text", { x: (x(at) + 3).toFixed(1), y: height - 7 }, label));
  }
  return h("g", { class: "axis" }, marks);
}

function marker(x) {
  if (!cursor || !lanes[cursor.lane]) return null;
  const left = x(cursor.at), right = x(cursor.at + lanes[cursor.lane].interval * 1000);
  return h("rect", { class: "cursor", x: left.toFixed(1), width: Math.max(3, right - left).toFixed(1), y: cursor.lane * ROW + 11, height: BAR + 6 });
}

// The start of the window of a lane that contains a time: windows count from the lane's first.
function windowAt(index, at) {
  const lane = lanes[index], inside = lane.segments.find((each) => Date.parse(each.start) <= at && at < Date.parse(each.end));
  const step = lane.interval * 1000, first = Date.parse(inside?.start ?? lane.segments[0].start);
  return first + Math.floor((at - first) / step) * step;
}

const whole = (at) => Math.round(at / SECOND) * SECOND;
const iso = (at) => new Date(at).toISOString().replace(".000Z", "Z");

export const view = {
  reset() {
    shown = cursor = drag = null;
  },
  clicked(event, draw, openWindow) {
    const span = event.target.closest("[data-span]")?.dataset.span;
    const factor = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (span === "all") shown = null;
    else if (span) zoom(bounds().to - Number(span), bounds().to);
    else if (factor) scale(Number(factor));
    else {
      clickTimeline(event, openWindow);
      if (!event.target.closest?.("#timeline")) return;
    }
    draw();
  },
  pressed(event, draw, openWindow) {
    if (event.target.id !== "timeline" || event.ctrlKey || event.metaKey) return;
    if (!press(event.key, openWindow)) return;
    event.preventDefault();
    draw();
  },
};

function scale(factor) {
  const { from, to } = range(), middle = cursor?.at ?? (from + to) / 2;
  zoom(middle - (middle - from) * factor, middle + (to - middle) * factor);
}

function place(event) {
  const box = document.getElementById("timeline").getBoundingClientRect();
  const { from, to } = range();
  return { at: from + ((event.clientX - box.left) / box.width) * (to - from), lane: Math.floor((event.clientY - box.top) / ROW), x: event.clientX };
}

function clickTimeline(event, openWindow) {
  if (!event.target.closest?.("#timeline") || (drag && Math.abs(drag.moved) > 5)) return;
  const { at, lane } = place(event), { from, to } = range();
  if (!lanes[lane]) return;
  const pixels = ((lanes[lane].interval * 1000) / (to - from)) * width();
  if (pixels >= CLICKABLE || event.target.matches(".s-failed, .s-running")) openWindow(lane, iso(windowAt(lane, at)));
  else zoom(at - (to - from) / 16, at + (to - from) / 16);
}

function press(pressed, openWindow) {
  const { from, to } = range();
  cursor ??= { lane: 0, at: windowAt(0, (from + to) / 2) };
  const step = lanes[cursor.lane].interval * 1000;
  const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
  if (pressed in moves) {
    const pixels = Math.max(1, Math.ceil(((to - from) / width()) * 4 / step));
    cursor.at += moves[pressed] * step * pixels;
    if (cursor.at < from || cursor.at > to) zoom(from + (cursor.at < from ? -1 : 1) * (to - from) / 2, to + (cursor.at < from ? -1 : 1) * (to - from) / 2);
  } else if (pressed === "ArrowUp" || pressed === "ArrowDown") {
    const lane = Math.min(Math.max(cursor.lane + (pressed === "ArrowUp" ? -1 : 1), 0), lanes.length - 1);
    cursor = { lane, at: windowAt(lane, cursor.at) };
  } else if (pressed === "+" || pressed === "=") scale(0.5);
  else if (pressed === "-") scale(2);
  else if (pressed === "0") shown = null;
  else if (pressed === "Enter") openWindow(cursor.lane, iso(cursor.at));
  else return false;
  return true;
}

document.addEventListener("pointerdown", (event) => {
  drag = event.target.closest?.("#timeline") ? { ...place(event), moved: 0 } : null;
});
document.addEventListener("pointermove", (event) => {
  if (drag && event.buttons) drag.moved = event.clientX - drag.x;
});
document.addEventListener("pointerup", (event) => {
  if (!drag || Math.abs(drag.moved) <= 5) return;
  const other = place(event).at;
  zoom(Math.min(drag.at, other), Math.max(drag.at, other));
});
