/**
 * A card with the values of a dimension that have most visitors. Pressing a row narrows everything to it.
 */

import { label, percent, short, whole } from "./format.js";
import { html } from "./element.js";

/**
 * @typedef {import("./api.js").Breakdown} Breakdown
 * @typedef {import("./api.js").Row} Row
 * @typedef {{ id: string, title: string, tabs: [string, string][], none: string }} CardKind
 */

/** Rows of a card before "Show more". */
export const ROWS = 8;

const BEGINNINGS = ["entry_page", "source", "channel"];

/** @type {CardKind[]} */
export const CARDS = [
  {
    id: "pages",
    title: "Pages",
    tabs: [
      ["page", "Viewed"],
      ["entry_page", "Entered on"],
    ],
    none: "No page was viewed.",
  },
  {
    id: "sources",
    title: "Sources",
    tabs: [
      ["source", "Source"],
      ["channel", "Channel"],
    ],
    none: "No one came from anywhere.",
  },
  { id: "countries", title: "Countries", tabs: [["country", "Country"]], none: "No country is known." },
  {
    id: "devices",
    title: "Devices",
    tabs: [
      ["device", "Device"],
      ["browser", "Browser"],
      ["os", "System"],
    ],
    none: "No device is known.",
  },
];

/**
 * @param {CardKind} kind
 * @param {{ tab: (by: string) => void, filter: (dimension: string, value: string) => void, more: (by: string) => void }} act
 */
export function createCard(kind, act) {
  const title = `card-${kind.id}`;
  const list = html("ol", { class: "rows" });
  const more = html("button", { class: "link more", hidden: true }, "Show more");
  const tabs =
    kind.tabs.length < 2
      ? []
      : kind.tabs.map(([by, name]) =>
          html("button", { class: "tab", "data-by": by, "aria-pressed": "false", click: () => act.tab(by) }, name),
        );
  let by = kind.tabs[0][0];
  more.addEventListener("click", () => act.more(by));
  const element = html(
    "section",
    { class: "panel card", "aria-labelledby": title },
    html(
      "div",
      { class: "panel-head" },
      html("h2", { id: title }, kind.title),
      tabs.length ? html("div", { class: "tabs", role: "group", "aria-label": `${kind.title} by` }, ...tabs) : null,
    ),
    html("div", { class: "row-head", "aria-hidden": "true" }, html("span", {}, ""), html("span", {}, "Visitors")),
    list,
    more,
  );

  return {
    kind,
    element,
    /** @param {string | undefined} chosen @returns {string} what the card shows by */
    choose(chosen) {
      by = kind.tabs.find(([word]) => word === chosen)?.[0] ?? kind.tabs[0][0];
      for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.by === by));
      return by;
    },
    /**
     * @param {Breakdown} breakdown
     * @param {number} visitors everyone, for the shares
     * @param {[string, string][]} filters
     */
    show(breakdown, visitors, filters) {
      list.replaceChildren(...rowsOf(breakdown, visitors, filters, act.filter));
      if (breakdown.rows.length === 0) list.append(html("li", { class: "none muted" }, kind.none));
      more.hidden = !breakdown.more;
    },
  };
}

/**
 * @param {Breakdown} breakdown
 * @param {number} visitors
 * @param {[string, string][]} filters
 * @param {(dimension: string, value: string) => void} filter
 */
export function rowsOf(breakdown, visitors, filters, filter) {
  const largest = Math.max(...breakdown.rows.map((row) => row.visitors), 1);
  const shownAlone = new Map(filters).get(breakdown.by);
  return breakdown.rows.map((row) => {
    const name = row.detail === "internal" ? label("channel", row.detail) : label(breakdown.by, row.label);
    const detail =
      row.detail && row.detail.toLowerCase() !== name.toLowerCase() && row.label !== "" ? row.detail : null;
    // What a visit began with stands on its first row alone, and only that one's page would be counted.
    const pages = BEGINNINGS.includes(breakdown.by) ? "" : `, ${whole(row.page_views)} page views`;
    const share = visitors > 0 ? Math.min(row.visitors / visitors, 1) : 0;
    const bar = html("span", { class: "bar" });
    bar.style.width = `${(100 * row.visitors) / largest}%`;
    const button = html(
      "button",
      {
        class: "row",
        "aria-pressed": String(shownAlone === row.label),
        title: `${name}: ${whole(row.visitors)} visitors, ${whole(row.visits)} visits${pages}`,
        click: () => filter(breakdown.by, row.label),
      },
      html("span", { class: "row-name" }, name, detail ? html("span", { class: "row-detail" }, detail) : null),
      html("span", { class: "row-share muted" }, percent(share)),
      html("span", { class: "row-value number" }, short(row.visitors)),
      html("span", { class: "track", "aria-hidden": "true" }, bar),
    );
    return html("li", {}, button);
  });
}
