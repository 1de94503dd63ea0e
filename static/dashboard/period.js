/**
 * What is shown, as it stands in the address: the period, the metric, the filters and each card's tab.
 */

/** @typedef {import("./format.js").MetricName} MetricName */

/**
 * @typedef {object} View
 * @property {string} range one of RANGES, or `custom`
 * @property {string} from `YYYY-MM-DD`
 * @property {string} to `YYYY-MM-DD`
 * @property {MetricName | null} metric the one the chart shows; `null` for the three counts together
 * @property {[string, string][]} filters dimension and value
 * @property {Record<string, string>} tabs card and dimension
 */

/** @type {{ id: string, name: string, key: string, heading: string, empty: string }[]} */
export const RANGES = [
  { id: "today", name: "Today", key: "1", heading: "Today", empty: "today" },
  { id: "7d", name: "7 days", key: "2", heading: "Last 7 days", empty: "in the last 7 days" },
  { id: "30d", name: "30 days", key: "3", heading: "Last 30 days", empty: "in the last 30 days" },
  { id: "12m", name: "12 months", key: "4", heading: "Last 12 months", empty: "in the last 12 months" },
];

export const DIMENSIONS = ["page", "entry_page", "source", "channel", "country", "device", "browser", "os"];
const METRICS = ["visitors", "visits", "page_views", "bounce_rate", "visit_seconds"];
const DEFAULT = "7d";
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * @param {string} date
 * @param {number} days
 * @param {number} [months]
 */
function shift(date, days, months = 0) {
  const moved = new Date(`${date}T00:00Z`);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

/**
 * The dates of a range.
 * @param {string} range
 * @param {string} today the server's, so that a wrong clock here changes nothing
 */
function dates(range, today) {
  if (range === "today") return { from: today, to: today };
  if (range === "30d") return { from: shift(today, -29), to: today };
  if (range === "12m") return { from: shift(today, 1, -12), to: today };
  return { from: shift(today, -6), to: today };
}

/**
 * @param {string} search the address's query
 * @param {string} today
 * @returns {View}
 */
export function readView(search, today) {
  const given = new URLSearchParams(search);
  const [from, to] = [given.get("from") ?? "", given.get("to") ?? ""];
  const known = RANGES.some((range) => range.id === given.get("range"));
  const custom = DATE.test(from) && DATE.test(to);
  const range = custom ? "custom" : known ? String(given.get("range")) : DEFAULT;
  const metric = given.get("metric");
  return {
    range,
    ...(custom ? { from, to } : dates(range, today)),
    metric: metric && METRICS.includes(metric) ? /** @type {MetricName} */ (metric) : null,
    filters: DIMENSIONS.flatMap((d) =>
      given.has(d) ? [/** @type {[string, string]} */ ([d, given.get(d) ?? ""])] : [],
    ),
    tabs: Object.fromEntries([...given].filter(([name]) => name.endsWith("_by")).map(([n, v]) => [n.slice(0, -3), v])),
  };
}

/**
 * @param {View} view
 * @returns {string} the address
 */
export function writeView(view) {
  const address = new URLSearchParams();
  if (view.range === "custom") {
    address.set("from", view.from);
    address.set("to", view.to);
  } else if (view.range !== DEFAULT) address.set("range", view.range);
  if (view.metric) address.set("metric", view.metric);
  for (const [dimension, value] of view.filters) address.set(dimension, value);
  for (const [card, by] of Object.entries(view.tabs)) address.set(`${card}_by`, by);
  const text = address.toString();
  return text ? `?${text}` : location.pathname;
}

/**
 * What every question carries.
 * @param {View} view
 * @param {Record<string, string | number>} [more]
 */
export function parameters(view, more = {}) {
  const asked = new URLSearchParams({ from: view.from, to: view.to });
  for (const [name, value] of [...view.filters, ...Object.entries(more)]) asked.set(name, String(value));
  return asked;
}

/**
 * The view with one value of a dimension, or without one where `value` is null.
 * @param {View} view
 * @param {string} dimension
 * @param {string | null} value
 * @returns {View}
 */
export function filtered(view, dimension, value) {
  const others = view.filters.filter(([name]) => name !== dimension);
  return { ...view, filters: value === null ? others : [...others, [dimension, value]] };
}
