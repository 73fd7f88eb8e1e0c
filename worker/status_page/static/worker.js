// The worker: who leads, its queue, its endpoints, its settings.

import { h } from "./dom.js";
import { absolute, isThrottled, plural, throttledText, time } from "./format.js";

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
      Object.entries(data.installed).map(([name, part]) => pair(`Installed ${name}`, installed(part, data))),
      data.installed.worker?.unknown === null && pair("Standby replicas", standbys(data)),
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

function installed({ version, ready, wanted, unknown }, { version: own }) {
  if (unknown) return h("span", { class: "state quiet" }, `not known: ${unknown}`);
  return [version ?? "has no version label", wanted !== null && `, ${ready} of ${plural(wanted, "pod")} ready`,
    version && version !== own && h("small", { class: "bad" }, `differs from the version of this replica, ${own}: finish the upgrade`)];
}

/** The ready pods of the worker but for the one that leads. */
function standbys({ installed: { worker: { ready, wanted } }, leader }) {
  const [now, of] = [Math.max(0, ready - (leader ? 1 : 0)), Math.max(0, wanted - 1)];
  return of ? `${now} of ${of} ready` : "none: if this pod ends, nothing runs until the next one is ready";
}

const pair = (name, text) => [h("dt", {}, name), h("dd", {}, text)];

const STATES = { unknown: ["quiet", "was not asked yet"], answering: ["good", "answers"], failing: ["bad", "fails"] };

function endpoint(each, slots, lastAnswer) {
  const { url, state, since, trouble, identity } = each;
  const [kind, text] = STATES[state] ?? ["quiet", state];
  return h("li", { "data-key": url }, h("b", {}, url), " ", h("span", { class: `state ${kind}`, title: since }, text, since && ` since ${absolute(Date.parse(since))}`),
    trouble && h("small", { class: "bad message" }, trouble), identity && h("small", {}, `login: ${identity}`),
    lastAnswer && h("small", { title: lastAnswer }, `last answer ${time(lastAnswer)}`),
    isThrottled(each) && h("small", { class: "busy" }, throttledText(each)),
    slots && h("small", {}, `${slots.taken} of ${slots.limit} slots taken, ${plural(slots.waiting, "rule")} waiting for one`));
}
