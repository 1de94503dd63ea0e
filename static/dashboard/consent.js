/**
 * How everybody answered the banner, whether they agreed to anything or not: counters, and so nothing to narrow or to press.
 * Hidden as long as no banner was shown.
 */

import { ask } from "./api.js";
import { openDialog } from "./dialog.js";
import { html } from "./element.js";
import { dateRange, percent, short, whole } from "./format.js";

/**
 * @typedef {import("./api.js").Consent} Consent
 * @typedef {import("./api.js").ConsentFigures} ConsentFigures
 */

/** @type {{ name: "accepted" | "rejected" | "customised" | "ignored", title: string }[]} */
const ANSWERS = [
  { name: "accepted", title: "Accepted all" },
  { name: "rejected", title: "Rejected all" },
  { name: "customised", title: "Chose some" },
  { name: "ignored", title: "No answer" },
];

/** The most rows of the table by day; the page's own figures are over all. */
export const TABLE_ROWS = 1000;

/**
 * @param {HTMLElement} place
 * @param {{ table: () => void, why: () => void }} act
 */
export function createConsent(place, act) {
  const list = html("ol", { class: "rows" });
  const summary = html("p", { class: "consent-summary" });
  place.append(
    html(
      "section",
      { class: "panel card", "aria-labelledby": "card-consent" },
      html(
        "div",
        { class: "panel-head" },
        html("h2", { id: "card-consent" }, "Answers to the banner"),
        html(
          "p",
          { class: "muted" },
          "Of everybody, without filters. ",
          html("button", { class: "link", click: act.why }, "How is this counted?"),
        ),
      ),
      summary,
      html("div", { class: "row-head", "aria-hidden": "true" }, html("span", {}, ""), html("span", {}, "Of times shown")),
      list,
      html("button", { class: "link more", click: act.table }, "By day, version and language"),
    ),
  );

  return {
    /** @param {Consent} found */
    show({ total }) {
      const answers = total.accepted + total.rejected + total.customised;
      place.hidden = total.shown + answers === 0;
      summary.replaceChildren(
        html("span", {}, "Banner shown ", html("strong", {}, whole(total.shown)), " times"),
        html("span", {}, "Acceptance rate ", html("strong", {}, rate(total.acceptance_rate)), " of answers"),
        html("span", {}, "Refusal rate ", html("strong", {}, rate(total.refusal_rate)), " of answers"),
      );
      list.replaceChildren(...ANSWERS.map((answer) => row(answer.title, total[answer.name], answers + total.ignored)));
    },
  };
}

/** @param {number | null} share */
const rate = (share) => (share == null ? "–" : percent(share));

/**
 * @param {string} title
 * @param {number} count
 * @param {number} all
 */
function row(title, count, all) {
  const share = all > 0 ? count / all : 0;
  const bar = html("span", { class: "bar" });
  bar.style.width = `${100 * share}%`;
  return html(
    "li",
    {},
    html(
      "div",
      { class: "row still", title: `${title}: ${whole(count)}` },
      html("span", { class: "row-name" }, title),
      html("span", { class: "row-share muted" }, percent(share)),
      html("span", { class: "row-value number" }, short(count)),
      html("span", { class: "track", "aria-hidden": "true" }, bar),
    ),
  );
}

/**
 * Every day, version and language as a table.
 * @param {URLSearchParams} parameters the period
 */
export async function showConsentTable(parameters) {
  openDialog("Answers to the banner", html("p", { class: "muted" }, "Loading…"));
  const found = /** @type {Consent} */ (await ask("consent", parameters));
  const heads = ["Shown", ...ANSWERS.map(({ title }) => title), "Acceptance", "Refusal"];
  const rows = found.rows.map((one) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, dateRange(one.day, one.day)),
      html("td", {}, one.banner_version),
      html("td", {}, one.language),
      ...[one.shown, ...ANSWERS.map(({ name }) => one[name])].map((count) =>
        html("td", { class: "number" }, whole(count)),
      ),
      ...[one.acceptance_rate, one.refusal_rate].map((share) => html("td", { class: "number" }, rate(share))),
    ),
  );
  const head = html(
    "tr",
    {},
    ...["Day", "Version", "Language"].map((name) => html("th", { scope: "col" }, name)),
    ...heads.map((name) => html("th", { scope: "col", class: "number" }, name)),
  );
  openDialog(
    "Answers to the banner",
    html(
      "div",
      { class: "scroll wide", tabindex: "0", role: "region", "aria-label": "By day, version and language" },
      html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows)),
    ),
    found.more ? html("p", { class: "muted" }, `These are the latest ${whole(found.rows.length)} lines.`) : null,
  );
}

/** Explains the figures; what each means comes from the API, where it stands beside the SQL that counts it. */
export async function explainConsent() {
  const definitions = /** @type {import("./api.js").Metric[]} */ ((await ask("definitions")).consent);
  openDialog(
    "How is this counted?",
    html(
      "dl",
      {},
      ...definitions.flatMap(({ title, explanation, sql }) => [
        html("dt", {}, title),
        html("dd", {}, html("p", {}, explanation), html("p", { class: "formula" }, html("code", {}, sql))),
      ]),
    ),
    html("h3", {}, "From whose consent?"),
    html(
      "p",
      {},
      "From nobody's: these are counters of the site's own banner, by day, version and language. No visitor is in them, " +
        "nothing was read from a device for them, and they are not linked to visits. A process that is killed loses what it " +
        "counted in its last minute.",
    ),
  );
}
