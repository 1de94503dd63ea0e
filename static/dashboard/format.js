/**
 * Figures, dates and names as people read them.
 */

const LOCALE = "en-GB";
const WHOLE = new Intl.NumberFormat(LOCALE);
const SHORT = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });
const PERCENT = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
const PERCENT_FINE = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 });
const COUNTRIES = new Intl.DisplayNames([LOCALE], { type: "region" });

/** @typedef {"visitors" | "visits" | "page_views" | "bounce_rate" | "visit_seconds"} MetricName */

/** @param {number} value */
export const whole = (value) => WHOLE.format(value);

/** @param {number} value @returns {string} in at most six characters or so */
export const short = (value) => (Math.abs(value) < 100_000 ? WHOLE.format(value) : SHORT.format(value));

/**
 * A figure beside an axis, in five characters or so.
 * @param {MetricName} metric
 * @param {number} value
 */
export const axisFigure = (metric, value) =>
  value >= 10_000 && metric !== "visit_seconds" ? SHORT.format(value) : figure(metric, value);

/** @param {number} share 0 to 1 */
export const percent = (share) => (share > 0 && share < 0.01 ? "<1%" : PERCENT.format(share));

/** @param {number} seconds @returns {string} such as `1m 32s` */
export function duration(seconds) {
  const all = Math.round(seconds);
  if (all < 60) return `${all}s`;
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60), all % 60];
  return hours > 0 ? `${hours}h ${minutes}m` : rest > 0 ? `${minutes}m ${rest}s` : `${minutes}m`;
}

/**
 * A figure in its own unit; a dash where there is none.
 * @param {MetricName} metric
 * @param {number | null | undefined} value
 */
export function figure(metric, value) {
  if (value == null) return "–";
  if (metric === "bounce_rate") return percent(value);
  return metric === "visit_seconds" ? duration(value) : short(value);
}

/**
 * How a figure has changed: `text` to show, `direction` -1, 0 or 1, and whether that is `better` (where it is either).
 * @param {MetricName} metric
 * @param {number | null} now
 * @param {number | null} before
 */
export function change(metric, now, before) {
  if (now == null || before == null) return null;
  // Nothing grows by a share of nothing.
  if (before === 0 && metric !== "bounce_rate") return null;
  // What reads the same has not changed, whatever stands behind the comma.
  if (figure(metric, now) === figure(metric, before))
    return { text: "no change", direction: 0, better: false };
  if (metric === "bounce_rate") {
    const points = Math.round((now - before) * 100);
    const text = `${Math.abs(points)} point${Math.abs(points) === 1 ? "" : "s"}`;
    return { text, direction: Math.sign(points), better: points < 0 };
  }
  const share = now / before - 1;
  const text =
    Math.abs(share) >= 10
      ? `${short(Math.round(now / before))}×`
      : (Math.abs(share) < 0.1 ? PERCENT_FINE : PERCENT).format(Math.abs(share));
  return { text, direction: Math.sign(share), better: share > 0 };
}

/** @param {string} date `YYYY-MM-DD` or `YYYY-MM-DDTHH:MMZ` @returns {Date} */
export const parseDate = (date) => new Date(date.length === 10 ? `${date}T00:00Z` : date);

/**
 * @param {Date} date
 * @param {Intl.DateTimeFormatOptions} parts
 */
const inUtc = (date, parts) => date.toLocaleDateString(LOCALE, { timeZone: "UTC", ...parts });

/** @param {string} from @param {string} to @returns {string} such as `25 to 31 March 2026` */
export function dateRange(from, to) {
  const [first, last] = [parseDate(from), parseDate(to)];
  const end = inUtc(last, { day: "numeric", month: "short", year: "numeric" });
  if (from === to) return end;
  if (from.slice(0, 7) === to.slice(0, 7)) return `${first.getUTCDate()} to ${end}`;
  const year = from.slice(0, 4) === to.slice(0, 4) ? undefined : "numeric";
  return `${inUtc(first, { day: "numeric", month: "short", year })} to ${end}`;
}

/**
 * A bucket's name: short below a chart, long in a table or tooltip.
 * @param {string} bucket
 * @param {string} start
 * @param {boolean} [long]
 */
export function bucketName(bucket, start, long = false) {
  const date = parseDate(start);
  const time = start.slice(11, 16);
  if (bucket === "hour")
    return long ? `${inUtc(date, { weekday: "short", day: "numeric", month: "short" })}, ${time}` : time;
  if (bucket === "month") return inUtc(date, { month: long ? "long" : "short", year: long ? "numeric" : "2-digit" });
  const day = { day: "numeric", month: "short" };
  if (!long) return inUtc(date, /** @type {Intl.DateTimeFormatOptions} */ (day));
  const full = inUtc(date, /** @type {Intl.DateTimeFormatOptions} */ ({ weekday: "short", ...day, year: "numeric" }));
  return bucket === "week" ? `Week from ${full}` : full;
}

/** @param {Date} date */
export const clock = (date) => date.toLocaleTimeString(LOCALE, { hour: "2-digit", minute: "2-digit" });

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * A dimension's value as people read it.
 * @param {string} dimension
 * @param {string} value
 */
export function label(dimension, value) {
  // A visit whose first page came from the site itself: the visitor agreed, or came back, in the middle of it.
  if (dimension === "channel" && value === "internal") return "Already on the site";
  if (value === "") return dimension === "source" ? "Direct or none" : "Unknown";
  if (dimension === "country") {
    try {
      return COUNTRIES.of(value) ?? value;
    } catch {
      return value;
    }
  }
  return dimension === "device" || dimension === "channel" ? capital(value) : value;
}
