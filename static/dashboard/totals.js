/**
 * The big figures, each beside that of the period before. Pressing one shows it alone in the chart.
 */

import { change, figure, whole } from "./format.js";
import { html } from "./element.js";

/** @typedef {import("./format.js").MetricName} MetricName */

/** @type {{ name: MetricName, title: string }[]} */
export const TILES = [
  { name: "visitors", title: "Visitors" },
  { name: "visits", title: "Visits" },
  { name: "page_views", title: "Page views" },
  { name: "bounce_rate", title: "Bounce rate" },
  { name: "visit_seconds", title: "Visit duration" },
];

/**
 * @param {HTMLElement} place
 * @param {(metric: MetricName) => void} pressed
 * @param {(metric: MetricName) => void} asked the little question mark
 */
export function createTotals(place, pressed, asked) {
  const tiles = TILES.map(({ name, title }) => {
    const value = html("span", { class: "tile-value" }, "–");
    const changed = html("span", { class: "tile-change" }, "\u00a0");
    const button = html(
      "button",
      { class: "tile-button", "aria-pressed": "false", click: () => pressed(name) },
      html("span", { class: `tile-title series-${name}` }, html("span", { class: "swatch" }), title),
      value,
      changed,
    );
    const why = html(
      "button",
      {
        class: "why",
        "aria-label": `${title}: how is this counted?`,
        title: "How is this counted?",
        click: () => asked(name),
      },
      "?",
    );
    place.append(html("div", { class: "tile" }, button, why));
    return { name, button, value, changed };
  });

  return {
    /** @param {MetricName | null} metric */
    press(metric) {
      for (const tile of tiles) tile.button.setAttribute("aria-pressed", String(tile.name === metric));
    },
    /** @param {import("./api.js").Totals} totals */
    show(totals) {
      for (const { name, value, changed } of tiles) {
        const [now, before] = [totals.current[name], totals.previous[name]];
        value.textContent = figure(name, now);
        value.title = now != null && name !== "bounce_rate" && name !== "visit_seconds" ? whole(now) : "";
        changed.replaceChildren(...changeOf(name, now, before));
      }
    },
  };
}

/**
 * @param {MetricName} name
 * @param {number | null} now
 * @param {number | null} before
 */
function changeOf(name, now, before) {
  const moved = change(name, now, before);
  if (!moved) return [html("span", { class: "muted" }, before == null || before === 0 ? "nothing before" : "\u00a0")];
  const word = moved.direction > 0 ? "up" : moved.direction < 0 ? "down" : "";
  const tone = moved.direction === 0 ? "same" : moved.better ? "better" : "worse";
  const arrow = moved.direction > 0 ? "▲" : moved.direction < 0 ? "▼" : "";
  return [
    html(
      "span",
      { class: `move ${tone}` },
      html("span", { "aria-hidden": "true", class: "arrow" }, arrow),
      html("span", { class: "visually-hidden" }, word ? `${word} ` : ""),
      moved.text,
    ),
    before === 0 ? null : html("span", { class: "muted" }, ` from ${figure(name, before)}`),
  ].filter((child) => child !== null);
}
