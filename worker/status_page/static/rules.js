// All rules: counts, problems that several rules share, filters, and a table or cards.

import { h, update } from "./dom.js";
import { absolute, isThrottled, length, now, plural, stripInWords, throttledText, time } from "./format.js";

const FIELDS = ["search", "show", "namespace", "database", "label", "reason", "sort"];
let waiting = 0;

export const title = (data) => (data.troubled ? `(${data.troubled}) SummaryRules` : "SummaryRules");
export const query = (parameters) => {
  const kept = new URLSearchParams([...parameters].filter(([name]) => [...FIELDS, "page"].includes(name)));
  return kept.size ? `?${kept}` : "";
};
export const subject = query;

export function link(parameters, changes) {
  const next = new URLSearchParams(parameters);
  next.delete("page");
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null) next.delete(name);
    else next.set(name, value);
  }
  return next.size ? `/?${next}` : "/";
}

const select = (name, label, choices, chosen) =>
  h("label", {}, label, " ", h("select", { name }, choices.map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text))));

// Made once for each URL that is opened: what a person types is never drawn again.
export function filters(parameters) {
  const chosen = (name) => parameters.get(name) ?? "";
  const text = (name, label, placeholder) =>
    h("label", {}, label, " ", h("input", { type: "search", name, value: chosen(name), placeholder, maxlength: 200, autocomplete: "off" }));
  return h("form", { role: "search", "data-key": `form${parameters}` },
    text("search", "Search", "name, table or error"),
    select("show", "Show", [["", "all rules"], ["problem", "with a problem"], ["backfill", "with a backfill"]], chosen("show")),
    select("namespace", "Namespace", [["", "all"]], chosen("namespace")),
    select("database", "Database", [["", "all"]], chosen("database")),
    text("label", "Label", "team=a"),
    select("sort", "Sort by", [["", "problem first"], ["name", "name"], ["overdue", "overdue"]], chosen("sort")));
}

export function changed(event, parameters, go) {
  const { name, value } = event.target;
  if (!FIELDS.includes(name)) return;
  clearTimeout(waiting);
  const wait = event.target.type === "search" ? 250 : 0;
  waiting = setTimeout(() => go(link(new URLSearchParams(location.search), { [name]: value }), true), wait);
}

// The choices of the filters come with the data; the choice itself stays.
export function drawn(data, parameters) {
  for (const name of ["namespace", "database"]) {
    const field = document.querySelector(`#filters [name=${name}]`);
    if (!field) continue;
    const chosen = field.value || parameters.get(name) || "";
    const values = [...new Set(["", chosen, ...data[`${name}s`]])];
    if (values.length === field.options.length) continue;
    update(field, h("select", {}, values.map((value) => h("option", { value }, value || "all"))));
    field.value = chosen;
  }
}

export function render(data, parameters) {
  const active = (name, value) => (parameters.get(name) ?? "") === value;
  const counter = (count, text, changes, kind) =>
    h("a", { href: link(parameters, changes), class: `counter ${count ? kind : ""}`, "aria-current": active(...Object.entries(changes)[0]) && "true" },
      h("b", {}, String(count)), " ", text);
  return [
    h("h1", {}, "All rules"),
    h("p", { class: "counters" },
      counter(data.rules, "rules", { show: "" }, ""),
      counter(data.troubled, "with a problem", { show: "problem" }, "bad"),
      counter(data.backfills, "with a backfill", { show: "backfill" }, "busy")),
    reasons(data, parameters),
    data.endpoints.filter((each) => each.trouble).map((each) =>
      h("p", { class: "bad", role: "alert" }, each.trouble.startsWith(each.url) ? each.trouble : `${each.url}: ${each.trouble}`)),
    data.endpoints.filter(isThrottled).map((each) => h("p", { class: "busy" }, throttledText(each))),
    data.groups.map((group) => h("section", { class: "group", "data-key": group.reason + group.message },
      h("p", {}, h("a", { href: link(parameters, { search: group.message.slice(0, 150), show: "problem" }) },
        plural(group.count, "rule"), ": ", group.reason), " ", h("span", { class: "message" }, group.message)),
      h("p", { class: "remedy" }, h("b", {}, "do: "), group.remedy))),
    data.items.length ? table(data) : h("p", {}, data.rules ? "No rule matches." : "There are no rules yet."),
    pages(data, parameters),
  ];
}

function reasons(data, parameters) {
  const chosen = parameters.get("reason");
  const found = Object.entries(data.reasons).sort((one, other) => other[1] - one[1]);
  return h("p", { class: "reasons", "aria-label": "reasons" }, found.map(([reason, count]) =>
    h("a", { href: link(parameters, { reason: chosen === reason ? "" : reason }), "aria-current": chosen === reason && "true" }, `${reason} ${count}`)));
}

function table(data) {
  const heads = ["Rule", "Ready", "Last windows", "Schedule", "Backfill"];
  return h("table", { class: "rules" },
    h("thead", {}, h("tr", {}, heads.map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", {}, data.items.map(row)));
}

export function ruleLink(namespace, name, more = {}) {
  return `/rule?${new URLSearchParams({ namespace, name, ...more })}`;
}

function row(item) {
  const problem = item.problems[0];
  return h("tr", { "data-key": `${item.namespace}/${item.name}` },
    h("th", { scope: "row" },
      h("a", { href: ruleLink(item.namespace, item.name) }, `${item.namespace}/${item.name}`),
      item.table && h("small", {}, `${item.database}.${item.table}, every ${item.interval}`)),
    h("td", { "data-title": "Ready" }, ready(item), problem && message(item, problem)),
    h("td", { "data-title": "Last windows", class: item.strip ? "" : "empty" }, item.strip && strip(item.strip)),
    h("td", { "data-title": "Schedule" }, schedule(item)),
    h("td", { "data-title": "Backfill", class: item.backfill ? "" : "empty" }, backfill(item.backfill)));
}

// The first problem without its windows, which the strip shows. One that is a group is said once.
const message = (item, problem) => (item.sharedBy
  ? h("small", { title: problem.message }, `shared by ${plural(item.sharedBy, "rule")}, see above`)
  : h("small", { class: "message", title: problem.message }, item.cause || problem.message || problem.reason));

function ready(item) {
  const reason = item.problems[0]?.reason || item.reason || "unknown";
  const isIntended = item.suspended || reason === "OtherCluster" || reason === "Paused";
  const kind = item.problems.length ? "bad" : item.ready === "True" && !isIntended ? "good" : "quiet";
  return h("span", { class: `state ${kind}` }, reason);
}

export const strip = (letters) =>
  h("span", { class: "strip", role: "img", "aria-label": stripInWords(letters) },
    [...letters].map((letter) => h("i", { class: `w-${letter === "-" ? "none" : letter}` })));

function schedule(item) {
  if (item.suspended) return h("span", { class: "quiet" }, "suspended");
  const overdue = item.overdueWindows ? h("b", { class: "bad" }, `${item.overdueWindows} overdue`) : "nothing overdue";
  const at = item.last && { title: absolute(Date.parse(item.last)) };
  return [overdue, h("small", at ?? {}, item.last ? `last window ended ${time(item.last)}` : "no window has completed yet",
    item.inFlight ? `, ${item.inFlight} in flight` : "",
    item.ahead !== null && item.ahead !== undefined ? `, waits in the queue, rules ahead: ${item.ahead}` : "")];
}

function backfill(past) {
  if (!past) return h("span", { class: "quiet" }, "none");
  const kind = { Completed: "good", Failed: "bad", Running: "busy" }[past.phase] ?? "quiet";
  const left = past.eta && past.phase === "Running" ? (Date.parse(past.eta) - now()) / 1000 : 0;
  return [h("span", { class: `state ${kind}` }, past.phase),
    h("span", { class: "progress" }, h("progress", { max: "100", value: String(past.percent), "aria-label": `${past.percent} percent` }), ` ${past.done}/${past.total}`),
    past.alreadyThere > 0 && h("small", {}, `${past.alreadyThere} were in the table already`),
    left > 0 && h("small", {}, `about ${length(left)} left`)];
}

function pages(data, parameters) {
  if (data.pages === 1) return h("p", { class: "pages" }, plural(data.matched, "rule"));
  const to = (page) => link(parameters, { page: String(page) });
  return h("nav", { class: "pages", "aria-label": "pages" },
    data.page > 1 && h("a", { rel: "prev", href: to(data.page - 1) }, "previous"),
    ` page ${data.page} of ${data.pages}, ${plural(data.matched, "rule")} `,
    data.page < data.pages && h("a", { rel: "next", href: to(data.page + 1) }, "next"));
}
