// Times, lengths of time and the words of window states.

export const STATES = {
  d: "done", r: "running", f: "failed", s: "skipped", w: "waiting", n: "not run", "-": "not covered",
};
let offset = 0;

// The clock of the worker, in milliseconds: a browser's own may be wrong.
export const now = () => Date.now() + offset;
export function setClock(text) {
  offset = Date.parse(text) - Date.now();
}

export function zone() {
  return localStorage.getItem("zone") ?? "relative";
}

export function length(seconds) {
  const sign = seconds < 0 ? "-" : "";
  let rest = Math.abs(Math.round(seconds));
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole || (unit === "s" && !parts.length)) parts.push(`${whole}${unit}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return sign + parts.join("");
}

export function absolute(milliseconds) {
  const text = new Date(milliseconds).toISOString().replace(".000Z", "Z");
  if (zone() !== "local") return text.replace("T", " ").replace("Z", " UTC");
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
}

export function time(text) {
  if (!text) return "never";
  const at = Date.parse(text);
  if (zone() !== "relative") return absolute(at);
  const seconds = (now() - at) / 1000;
  return seconds < 0 ? `in ${length(-seconds)}` : `${length(seconds)} ago`;
}

// Whether a Kusto endpoint has asked for fewer calls within the last five minutes.
export const isThrottled = ({ throttled }) => throttled !== null && now() - Date.parse(throttled) < 300_000;
export const throttledText = ({ url, throttled }) =>
  `${url} asked for fewer calls (429) ${time(throttled)}: windows wait and are sent again. If this goes on, lower maxInFlight of backfills, or give Kusto more capacity.`;

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// How often each state is in a strip, in words, for a screen reader.
export function stripInWords(strip) {
  const counts = {};
  for (const letter of strip) counts[letter] = (counts[letter] ?? 0) + 1;
  const words = Object.entries(counts).map(([letter, count]) => `${count} ${STATES[letter]}`);
  return `last ${plural(strip.length, "window")}: ${words.join(", ")}`;
}
