// One rule: its conditions, its windows on a timeline, one window in full, commands to copy.

import { h } from "./dom.js";
import { absolute, isThrottled, length, plural, throttledText, time } from "./format.js";
import { ruleLink, strip } from "./rules.js";
import { timeline, view } from "./timeline.js";

const MOST_LISTED = 50;
let opened_window = null;

export const title = (data, parameters) => `${parameters.get("name")} - SummaryRules`;
export const query = (parameters) =>
  `?${new URLSearchParams({ namespace: parameters.get("namespace") ?? "", name: parameters.get("name") ?? "" })}`;
export const subject = query;
export const opened = () => {
  view.reset();
  opened_window = null;
};

const here = (parameters, more = {}) => ruleLink(parameters.get("namespace"), parameters.get("name"), more);

export function render(data, parameters, draw) {
  const name = `${parameters.get("namespace")}/${parameters.get("name")}`;
  if (!data.found) return [h("h1", {}, name), h("p", {}, "There is no rule of this name."), h("p", {}, h("a", { href: "/" }, "All rules"))];
  const { summary, spec } = data;
  const reason = summary.problems[0]?.reason || summary.reason;
  load(parameters, draw);
  return [
    h("h1", {}, name),
    h("p", {}, summary.table && `${summary.database}.${summary.table}, every ${summary.interval}. `,
      summary.last ? `Last window ended ${time(summary.last)}. ` : "No window of the schedule has completed yet. ",
      summary.suspended ? "The schedule is suspended." : `${plural(summary.overdueWindows, "window")} overdue.`),
    h("p", { class: "current" }, h("span", { class: `state ${summary.problems.length ? "bad" : summary.ready === "True" ? "good" : "quiet"}` },
      reason || "unknown"), " ", summary.problems[0]?.message || summary.message),
    data.remedy && h("p", { class: "remedy" }, h("b", {}, "do: "), data.remedy),
    others(summary.problems, data.remedies),
    waits(data.lanes) && data.endpoints.filter((each) => each.url === data.endpoint && isThrottled(each)).map((each) => h("p", { class: "busy" }, throttledText(each))),
    summary.strip && h("p", {}, strip(summary.strip)),
    data.malformed && reason !== "Malformed" && h("p", { class: "message" }, h("span", { class: "state bad" }, "Malformed"), " ", data.malformed),
    h("h2", {}, "Windows"),
    timeline(data.lanes, parameters),
    listed(data, parameters),
    detail(parameters),
    h("h2", {}, "What you can do"),
    commands(data.commands),
    h("h2", {}, "Conditions"),
    conditions(data.conditions),
    h("h2", {}, "Query"),
    code(String(spec.body ?? "")),
    h("details", { "data-key": "spec" }, h("summary", {}, "The whole spec"), h("pre", {}, JSON.stringify(spec, null, 2))),
  ];
}

// The problems after the first: one of them may be the cause of the others.
const others = (problems, remedies) => problems.slice(1).map(({ reason, message }) => [
  h("p", { class: "current" }, h("span", { class: "state bad" }, reason), " ", message),
  remedies[reason] && h("p", { class: "remedy" }, h("b", {}, "do: "), remedies[reason])]);

const waits = (lanes) => lanes.some((lane) => lane.segments.some(({ state }) => state === "sending" || state === "waiting"));

const commands = (all) => h("ul", { class: "commands" }, all.map(({ label, command }) =>
  h("li", {}, h("span", {}, label), h("code", {}, command), h("button", { type: "button", "data-copy": command, "aria-label": `copy: ${label}` }, "copy"))));

const code = (text) => h("div", { class: "code" }, h("pre", { tabindex: "0" }, text), h("button", { type: "button", "data-copy": text }, "copy"));

function conditions(all) {
  if (!all.length) return h("p", {}, "The worker has written no condition yet.");
  const heads = ["Type", "Status", "Reason and message", "Since"];
  const said = new Map();
  for (const each of all) if (each.message && !said.has(each.message)) said.set(each.message, each.type);
  const same = ({ type, message }) => message && said.get(message) !== type && h("span", { class: "quiet" }, `as in ${said.get(message)}`);
  return h("table", { class: "conditions" },
    h("thead", {}, h("tr", {}, heads.map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", {}, all.map((each) => h("tr", { "data-key": each.type },
      h("th", { scope: "row" }, each.type), h("td", { "data-title": "Status" }, each.status),
      h("td", { "data-title": "Reason" }, h("b", {}, each.reason), " ", same(each) || each.message, !same(each) && each.remedy && h("small", {}, "do: ", each.remedy)),
      h("td", { "data-title": "Since", title: each.since }, time(each.since))))));
}

// The failed windows as a list, for the keyboard and for a screen reader.
function listed(data, parameters) {
  const failed = data.lanes.flatMap((lane, index) =>
    lane.segments.filter((each) => each.state === "failed").map((each) => ({ ...each, lane: index, kind: lane.kind })));
  if (!failed.length) return null;
  return h("section", {}, h("h3", {}, plural(failed.length, "failed window")),
    h("ul", { class: "failed" }, failed.slice(0, MOST_LISTED).map((each) => h("li", { "data-key": `${each.lane}${each.start}` },
      h("a", { href: here(parameters, { lane: each.lane, window: each.start }) }, `${each.start} to ${each.end}`), ` ${each.kind}: `,
      h("span", { class: "message" }, each.error)))));
}

const key = (parameters) => `${parameters.get("lane") ?? "0"} ${parameters.get("window")} ${query(parameters)}`;

async function load(parameters, draw) {
  if (!parameters.get("window")) return;
  const wanted = new URLSearchParams(query(parameters));
  wanted.set("lane", parameters.get("lane") ?? "0");
  wanted.set("at", parameters.get("window"));
  const reply = await fetch(`/window.json?${wanted}`);
  const found = { ...(await reply.json()), key: key(parameters) };
  if (JSON.stringify(found) === JSON.stringify(opened_window)) return;
  opened_window = found;
  draw();
}

function detail(parameters) {
  const found = opened_window;
  if (!parameters.get("window") || found?.key !== key(parameters)) return null;
  if (!found.found) return h("section", { class: "window" }, h("p", {}, found.error ?? "There is no such window."));
  const took = (Date.parse(found.end) - Date.parse(found.start)) / 1000;
  const pairs = [
    ["State", found.state], ["Length", length(took)], ["Query bounds", `${found.start} to ${found.queryEnd}, both inclusive`],
    ["Error", found.error], ["Attempt", found.attempt], ["Submitted", found.submittedAt && `${absolute(Date.parse(found.submittedAt))} (${time(found.submittedAt)})`],
    ["Operation", found.operationId], ["Token", found.token], ["Endpoint", found.endpoint], ["Malformed", found.malformed],
  ];
  return h("section", { class: "window", "aria-label": "window", "data-key": "window" },
    h("h3", {}, `Window ${found.start} to ${found.end} `, h("a", { href: here(parameters) }, "close")),
    h("dl", {}, pairs.filter(([, text]) => text !== undefined && text !== "").map(([name, text]) => [h("dt", {}, name), h("dd", {}, String(text))])),
    commands(found.commands),
    h("p", {}, found.queryLink && h("a", { href: found.queryLink, rel: "noreferrer" }, "Open the query in Azure Data Explorer"), " ",
      found.rowsLink && h("a", { href: found.rowsLink, rel: "noreferrer" }, "Open the rows of the window")),
    found.command && code(found.command));
}

export function clicked(event, parameters, go, draw) {
  view.clicked(event, draw, (lane, at) => go(here(parameters, { lane, window: at })));
}

export function pressed(event, parameters, go, draw) {
  view.pressed(event, draw, (lane, at) => go(here(parameters, { lane, window: at })));
}
