/**
 * Draws lines over time: zero line, grid, the lines themselves and their names at their ends. A part that is not over yet
 * is dashed.
 */

import { axisFigure, bucketName } from "./format.js";
import { svg } from "./element.js";

/**
 * @typedef {import("./api.js").Point} Point
 * @typedef {import("./format.js").MetricName} MetricName
 * @typedef {{ metric: MetricName, name: string, kind: "current" | "previous" }} Line
 */

/** @type {Record<MetricName, string>} */
export const NAMES = {
  visitors: "Visitors",
  visits: "Visits",
  page_views: "Page views",
  bounce_rate: "Bounce rate",
  visit_seconds: "Visit duration",
};
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

/**
 * The lines that are shown: the three counts, or one metric and its past.
 * @param {MetricName | null} metric
 * @returns {Line[]}
 */
export function linesOf(metric) {
  if (metric === null) {
    const counts = /** @type {MetricName[]} */ (["page_views", "visits", "visitors"]);
    return counts.map((name) => ({ metric: name, name: NAMES[name], kind: "current" }));
  }
  return [
    { metric, name: "Before", kind: "previous" },
    { metric, name: NAMES[metric], kind: "current" },
  ];
}

/** @param {Point} point @param {Line} line @returns {number | null} */
export const valueOf = (point, line) =>
  (line.kind === "current" ? point.current : point.previous)?.[line.metric] ?? null;

/**
 * Round steps from zero to just above the largest value.
 * @param {MetricName} metric
 * @param {number} largest
 */
export function ticks(metric, largest) {
  let step;
  if (metric === "visit_seconds") step = SECONDS.find((s) => s * 4 >= largest) ?? Math.ceil(largest / 4 / 3600) * 3600;
  else {
    const power = 10 ** Math.floor(Math.log10(Math.max(largest / 4, Number.MIN_VALUE)));
    step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power * 4 >= largest) ?? 10) * power;
    if (metric === "bounce_rate") step = Math.max(step, 0.05);
    else step = Math.max(Math.ceil(step), 1);
  }
  const count = Math.max(1, Math.ceil(largest / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** @param {number} width @param {Line[]} lines */
export function margins(width, lines) {
  const longest = Math.max(...lines.map((line) => line.name.length));
  return { left: 44, right: Math.min(longest * 7.5 + 14, width * 0.4), top: 12, bottom: 28 };
}

/**
 * @param {import("./api.js").Series} series
 * @param {Line[]} lines
 * @param {number} width
 */
export function drawLines(series, lines, width) {
  const height = width < 560 ? 220 : 280;
  const { left, right, top, bottom } = margins(width, lines);
  const { points, bucket } = series;
  const values = points.flatMap((point) => lines.map((line) => valueOf(point, line) ?? 0));
  const steps = ticks(lines[0].metric, Math.max(...values, lines[0].metric === "bounce_rate" ? 0.1 : 1));
  const highest = steps[steps.length - 1];
  /** @param {number} i */
  const x = (i) =>
    points.length === 1 ? (left + width - right) / 2 : left + (i / (points.length - 1)) * (width - left - right);
  /** @param {number} value */
  const y = (value) => top + (1 - value / highest) * (height - top - bottom);

  const picture = svg("svg", {
    class: lines.length > 2 ? "together" : "alone",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
  });
  for (const step of steps) {
    picture.append(
      svg("line", { class: step === 0 ? "zero" : "grid", x1: left, x2: width - right, y1: y(step), y2: y(step) }),
      svg(
        "text",
        { class: "axis", x: left - 8, y: y(step) + 4, "text-anchor": "end" },
        axisFigure(lines[0].metric, step),
      ),
    );
  }
  const room = bucket === "hour" ? 56 : 68;
  const every = Math.max(1, Math.ceil((points.length * room) / (width - left - right + room)));
  for (let i = 0; i < points.length; i += every) {
    const unfinished = width >= 560 && i === points.length - 1 && i > 0 && !points[i].whole && points[i].current !== null;
    const name = bucketName(bucket, points[i].start) + (unfinished && bucket !== "hour" ? ", so far" : "");
    picture.append(svg("text", { class: "axis", x: x(i), y: height - 8, "text-anchor": "middle" }, name));
  }

  const rule = svg("line", { class: "rule", y1: top, y2: height - bottom, visibility: "hidden" });
  picture.append(rule);
  const marks = lines.map((line) => {
    picture.append(...lineOf(points, line, x, y, lines.length === 2 && line.kind === "current"));
    const dot = svg("circle", { class: `dot series-${line.metric} ${line.kind}`, r: 4.5, visibility: "hidden" });
    return { line, dot };
  });
  picture.append(...endLabels(points, lines, x, y, height - bottom), ...marks.map(({ dot }) => dot));

  /** @param {number | null} index */
  const mark = (index) => {
    rule.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index !== null) for (const end of ["x1", "x2"]) rule.setAttribute(end, String(x(index)));
    for (const { line, dot } of marks) {
      const value = index === null ? null : valueOf(points[index], line);
      dot.setAttribute("visibility", value === null ? "hidden" : "visible");
      if (index === null || value === null) continue;
      dot.setAttribute("cx", String(x(index)));
      dot.setAttribute("cy", String(y(value)));
    }
  };
  return { picture, x, mark };
}

/**
 * @param {Point[]} points
 * @param {Line} line
 * @param {(i: number) => number} x
 * @param {(value: number) => number} y
 * @param {boolean} filled
 */
function lineOf(points, line, x, y, filled) {
  const known = points.flatMap((point, i) => {
    const value = valueOf(point, line);
    return value === null
      ? []
      : [{ i, whole: point.whole || line.kind === "previous", at: `${x(i).toFixed(1)} ${y(value).toFixed(1)}` }];
  });
  let [solid, dashed] = ["", ""];
  known.slice(1).forEach((to, n) => {
    const from = known[n];
    if (to.i !== from.i + 1) return;
    const step = `M${from.at}L${to.at}`;
    if (from.whole && to.whole) solid += solid.endsWith(from.at) ? `L${to.at}` : step;
    else dashed += step;
  });
  const style = `series-${line.metric} ${line.kind}`;
  const drawn = [];
  if (filled && known.length > 1) {
    const [first, last] = [known[0], known[known.length - 1]];
    const area = `M${x(first.i)} ${y(0)}L${known.map(({ at }) => at).join("L")}L${x(last.i)} ${y(0)}Z`;
    drawn.push(svg("path", { class: `area ${style}`, d: area }));
  }
  drawn.push(
    svg("path", { class: `line ${style}`, d: solid }),
    svg("path", { class: `line unfinished ${style}`, d: dashed }),
  );
  if (line.kind === "current" && points.length <= 31) {
    drawn.push(
      ...known.map(({ at }) => {
        const [cx, cy] = at.split(" ");
        return svg("circle", { class: `spot ${style}`, cx, cy, r: 2.5 });
      }),
    );
  }
  return drawn;
}

/**
 * A name at the end of each line, moved apart where they would cover each other.
 * @param {Point[]} points
 * @param {Line[]} lines
 * @param {(i: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} lowest
 */
function endLabels(points, lines, x, y, lowest) {
  const gap = 17;
  const labels = lines
    .flatMap((line) => {
      const end = points.findLastIndex((point) => valueOf(point, line) !== null);
      return end < 0 ? [] : [{ line, x: x(end) + 8, y: y(valueOf(points[end], line) ?? 0) + 4 }];
    })
    .sort((a, b) => a.y - b.y || lines.indexOf(a.line) - lines.indexOf(b.line));
  labels.forEach((label, i) => {
    if (i > 0) label.y = Math.max(label.y, labels[i - 1].y + gap);
  });
  // Pushed below the zero line: push the whole stack back up.
  for (let i = labels.length - 1, floor = lowest; i >= 0; i--, floor -= gap) labels[i].y = Math.min(labels[i].y, floor);
  return labels.map((label) =>
    svg(
      "text",
      { class: `end series-${label.line.metric} ${label.line.kind}`, x: label.x, y: label.y },
      label.line.name,
    ),
  );
}
