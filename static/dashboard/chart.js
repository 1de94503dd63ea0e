/**
 * The chart: lines over time from a zero line, labelled at their ends, readable with a pointer, with the keyboard, and as
 * a table. A part that is not over yet is dashed.
 */

import { bucketName, figure } from "./format.js";
import { html, svg } from "./element.js";

/**
 * @typedef {import("./api.js").Point} Point
 * @typedef {import("./format.js").MetricName} MetricName
 * @typedef {{ metric: MetricName, name: string, kind: "current" | "previous" }} Line
 */

/** @type {Record<MetricName, string>} */
const NAMES = {
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
const valueOf = (point, line) => (line.kind === "current" ? point.current : point.previous)?.[line.metric] ?? null;

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

/**
 * @param {HTMLElement} place
 * @param {HTMLDetailsElement} tablePlace
 */
export function createChart(place, tablePlace) {
  /** @type {{ series: import("./api.js").Series, metric: MetricName | null } | null} */
  let shown = null;
  let width = 0;
  /** @type {(index: number | null) => void} */
  let point = () => {};
  /** @type {number | null} */
  let pointed = null;

  const tip = html("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const spoken = html("div", { class: "visually-hidden", "aria-live": "polite" });
  const canvas = html("div", { class: "canvas", tabindex: "0", role: "group" });
  place.append(canvas, tip, spoken);

  const draw = () => {
    if (!shown || width < 50) return;
    const drawn = drawLines(shown.series, linesOf(shown.metric), width);
    canvas.replaceChildren(drawn.picture);
    canvas.setAttribute("aria-label", `${describe(shown.series, shown.metric)} Arrow keys read the values.`);
    point = (index) => {
      pointed = index;
      drawn.mark(index);
      tip.hidden = index === null;
      if (index === null || !shown) return;
      tip.replaceChildren(...tipOf(shown.series, linesOf(shown.metric), index));
      // Beside the rule, so that it does not cover what it tells about.
      const [after, before] = [drawn.x(index) + 12, drawn.x(index) - 12 - tip.offsetWidth];
      const left = after + tip.offsetWidth <= width || before < 0 ? Math.min(after, width - tip.offsetWidth) : before;
      tip.style.transform = `translateX(${Math.round(left)}px)`;
    };
    point(pointed !== null && pointed < shown.series.points.length ? pointed : null);
    if (tablePlace.open) drawTable();
  };
  const drawTable = () => {
    if (shown) tablePlace.replaceChildren(tablePlace.children[0], tableOf(shown.series, linesOf(shown.metric)));
  };
  tablePlace.addEventListener("toggle", () => tablePlace.open && drawTable());
  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0].contentRect.width);
    if (now !== width) {
      width = now;
      draw();
    }
  }).observe(place);

  canvas.addEventListener("pointermove", (event) => {
    const at = nearest(event.clientX - canvas.getBoundingClientRect().left);
    if (at !== pointed) point(at);
  });
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("blur", () => point(null));
  canvas.addEventListener("keydown", (event) => {
    const last = (shown?.series.points.length ?? 0) - 1;
    const from = pointed ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    /** @type {Record<string, number | null>} */
    const moves = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null };
    if (!(event.key in moves) || last < 0 || !shown) return;
    event.preventDefault();
    const to = moves[event.key];
    point(to === null ? null : Math.min(Math.max(to, 0), last));
    spoken.textContent = pointed === null ? "" : spokenOf(shown.series, linesOf(shown.metric), pointed);
  });

  /** @param {number} at */
  function nearest(at) {
    if (!shown) return null;
    const { left, right } = margins(width, linesOf(shown.metric));
    const last = shown.series.points.length - 1;
    const share = (at - left) / Math.max(width - left - right, 1);
    return Math.min(Math.max(Math.round(share * last), 0), last);
  }

  return {
    /** @param {import("./api.js").Series} series @param {MetricName | null} metric */
    show(series, metric) {
      if (shown && (shown.series.points.length !== series.points.length || shown.metric !== metric)) pointed = null;
      shown = { series, metric };
      draw();
    },
  };
}

/** @param {number} width @param {Line[]} lines */
function margins(width, lines) {
  const longest = Math.max(...lines.map((line) => line.name.length));
  return { left: 44, right: Math.min(longest * 7.5 + 14, width * 0.4), top: 12, bottom: 28 };
}

/**
 * @param {import("./api.js").Series} series
 * @param {Line[]} lines
 * @param {number} width
 */
function drawLines(series, lines, width) {
  const height = width < 560 ? 220 : 280;
  const { left, right, top, bottom } = margins(width, lines);
  const { points, bucket } = series;
  const values = points.flatMap((point) => lines.map((line) => valueOf(point, line) ?? 0));
  const steps = ticks(lines[0].metric, Math.max(...values, lines[0].metric === "bounce_rate" ? 0.1 : 1));
  const highest = steps[steps.length - 1];
  /** @param {number} i */
  const x = (i) => (points.length === 1 ? (left + width - right) / 2 : left + (i / (points.length - 1)) * (width - left - right));
  /** @param {number} value */
  const y = (value) => top + (1 - value / highest) * (height - top - bottom);

  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const step of steps) {
    picture.append(
      svg("line", { class: step === 0 ? "zero" : "grid", x1: left, x2: width - right, y1: y(step), y2: y(step) }),
      svg("text", { class: "axis", x: left - 8, y: y(step) + 4, "text-anchor": "end" }, figure(lines[0].metric, step)),
    );
  }
  const room = bucket === "hour" ? 56 : 68;
  const every = Math.max(1, Math.ceil((points.length * room) / (width - left - right + room)));
  for (let i = 0; i < points.length; i += every) {
    const unfinished = i === points.length - 1 && i > 0 && !points[i].whole && points[i].current !== null;
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
    return value === null ? [] : [{ i, whole: point.whole || line.kind === "previous", at: `${x(i).toFixed(1)} ${y(value).toFixed(1)}` }];
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
  drawn.push(svg("path", { class: `line ${style}`, d: solid }), svg("path", { class: `line unfinished ${style}`, d: dashed }));
  if (line.kind === "current" && points.length <= 31) {
    drawn.push(...known.map(({ at }) => {
      const [cx, cy] = at.split(" ");
      return svg("circle", { class: `spot ${style}`, cx, cy, r: 2.5 });
    }));
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
  const labels = lines.flatMap((line) => {
    const end = points.findLastIndex((point) => valueOf(point, line) !== null);
    return end < 0 ? [] : [{ line, x: x(end) + 8, y: y(valueOf(points[end], line) ?? 0) + 4 }];
  }).sort((a, b) => a.y - b.y || lines.indexOf(a.line) - lines.indexOf(b.line));
  labels.forEach((label, i) => {
    if (i > 0) label.y = Math.max(label.y, labels[i - 1].y + gap);
  });
  // Pushed below the zero line: push the whole stack back up.
  for (let i = labels.length - 1, floor = lowest; i >= 0; i--, floor -= gap) labels[i].y = Math.min(labels[i].y, floor);
  return labels.map((label) =>
    svg("text", { class: `end series-${label.line.metric} ${label.line.kind}`, x: label.x, y: label.y }, label.line.name));
}

/**
 * @param {import("./api.js").Series} series
 * @param {Line[]} lines
 * @param {number} index
 */
function tipOf(series, lines, index) {
  const point = series.points[index];
  const so_far = point.current && !point.whole && index > 0 ? " (not over yet)" : "";
  return [
    html("p", { class: "tip-title" }, bucketName(series.bucket, point.start, true) + so_far),
    ...[...lines].reverse().map((line) =>
      html("p", { class: `tip-row series-${line.metric} ${line.kind}` }, html("span", { class: "swatch" }),
        html("span", {}, line.kind === "previous" ? "Before" : line.name),
        html("span", { class: "number" }, figure(line.metric, valueOf(point, line))))),
  ];
}

/**
 * @param {import("./api.js").Series} series
 * @param {Line[]} lines
 * @param {number} index
 */
function spokenOf(series, lines, index) {
  const point = series.points[index];
  const values = [...lines].reverse().map((line) => `${line.name} ${figure(line.metric, valueOf(point, line))}`);
  return `${bucketName(series.bucket, point.start, true)}: ${values.join(", ")}`;
}

/**
 * @param {import("./api.js").Series} series
 * @param {MetricName | null} metric
 */
function describe(series, metric) {
  const what = metric === null ? "Visitors, visits and page views" : NAMES[metric];
  return `${what} by ${series.bucket}, ${series.points.length} values.`;
}

/**
 * @param {import("./api.js").Series} series
 * @param {Line[]} lines
 */
function tableOf(series, lines) {
  const shown = [...lines].reverse();
  const head = shown.map((line) => html("th", { scope: "col", class: "number" }, line.name));
  const rows = series.points.map((point) =>
    html("tr", {}, html("th", { scope: "row" }, bucketName(series.bucket, point.start, true)),
      ...shown.map((line) => html("td", { class: "number" }, figure(line.metric, valueOf(point, line))))));
  return html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The chart as a table" },
    html("table", {}, html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "Time (UTC)"), ...head)),
      html("tbody", {}, ...rows)));
}
