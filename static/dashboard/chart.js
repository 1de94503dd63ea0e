/**
 * The chart, readable with a pointer, with the keyboard, and as a table.
 */

import { html } from "./element.js";
import { bucketName, figure } from "./format.js";
import { NAMES, drawLines, linesOf, margins, valueOf } from "./plot.js";

/**
 * @typedef {import("./format.js").MetricName} MetricName
 * @typedef {import("./plot.js").Line} Line
 */

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
    ...[...lines]
      .reverse()
      .map((line) =>
        html(
          "p",
          { class: `tip-row series-${line.metric} ${line.kind}` },
          html("span", { class: "swatch" }),
          html("span", {}, line.kind === "previous" ? "Before" : line.name),
          html("span", { class: "number" }, figure(line.metric, valueOf(point, line))),
        ),
      ),
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
    html(
      "tr",
      {},
      html("th", { scope: "row" }, bucketName(series.bucket, point.start, true)),
      ...shown.map((line) => html("td", { class: "number" }, figure(line.metric, valueOf(point, line)))),
    ),
  );
  return html(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "The chart as a table" },
    html(
      "table",
      {},
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "Time (UTC)"), ...head)),
      html("tbody", {}, ...rows),
    ),
  );
}
