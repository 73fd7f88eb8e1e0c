// The worker: who leads, its queue, its endpoints, its settings.

import { h } from "./dom.js";
import { absolute, plural, time } from "./format.js";

export const title = () => "Worker - SummaryRules";
export const query = () => "";
export const subject = () => "";

export function render(data) {
  return [
    h("h1", {}, "Worker"),
    h("dl", {},
      pair("Identity", data.identity),
      pair("Role", data.leads ? "leads: it reconciles rules" : "stands by: it reconciles no rule until it leads"),
      pair("Leader", data.leader ? [data.leader.identity, data.leader.since && h("small", { title: data.leader.since }, `took the Lease ${time(data.leader.since)}`)]
        : h("span", { class: "state bad" }, "no worker leads: nothing runs until one does. Read the logs of the workers.")),
      pair("Version", data.version),
      pair("Rules due in the queue", String(data.queue)),
      pair("Windows in flight", String(data.windowsInFlight)),
      pair("Adopts", data.adopts.join(", ") || "nothing"),
      pair("Cluster labels", Object.entries(data.clusterLabels).map(([key, value]) => `${key}=${value}`).join(", ") || "none"),
      pair("Interval windows in flight per rule", `at most ${data.limits.intervalInFlight}`),
      pair("Failed windows that stop a schedule", String(data.limits.failedWindows))),
    h("h2", {}, "Kusto endpoints"),
    data.endpoints.length ? h("ul", { class: "endpoints" }, data.endpoints.map((each) => endpoint(each, data.slots[each.url], data.lastAnswers[each.url]))) : h("p", {}, "No endpoint is configured."),
    h("h2", {}, "Databases"),
    h("dl", {}, Object.entries(data.databases).map(([name, url]) => pair(name, url))),
  ];
}

const pair = (name, text) => [h("dt", {}, name), h("dd", {}, text)];

const STATES = { unknown: ["quiet", "was not asked yet"], answering: ["good", "answers"], failing: ["bad", "fails"] };

function endpoint({ url, state, since, trouble, identity }, slots, lastAnswer) {
  const [kind, text] = STATES[state] ?? ["quiet", state];
  return h("li", { "data-key": url }, h("b", {}, url), " ", h("span", { class: `state ${kind}`, title: since }, text, since && ` since ${absolute(Date.parse(since))}`),
    trouble && h("small", { class: "bad message" }, trouble), identity && h("small", {}, `login: ${identity}`),
    lastAnswer && h("small", { title: lastAnswer }, `last answer ${time(lastAnswer)}; an endpoint without work is not asked`),
    slots && h("small", {}, `${slots.taken} of ${slots.limit} slots taken, ${plural(slots.waiting, "rule")} waiting for one`));
}
