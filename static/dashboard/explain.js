/**
 * The answers to "how is this counted?" and "from whose consent?". What a metric means comes from the API, where it stands
 * beside the SQL that counts it.
 */

import { ask } from "./api.js";
import { openDialog } from "./dialog.js";
import { html } from "./element.js";

const SHORTCUTS = "consentry-shortcuts";

/** @type {import("./api.js").Metric[]} */
let definitions = [];

/** Whether single keys do something (WCAG 2.1.4: they can be switched off). */
export const shortcutsAreOn = () => localStorage.getItem(SHORTCUTS) !== "off";

/**
 * Explains one metric, or all of them and the page's keys.
 * @param {import("./format.js").MetricName | null} [metric]
 */
export async function explain(metric = null) {
  if (definitions.length === 0) definitions = (await ask("definitions")).metrics;
  const entries = definitions
    .filter(({ name }) => metric === null || name === metric)
    .flatMap(({ title, explanation, sql }) => [
      html("dt", {}, title),
      html("dd", {}, html("p", {}, explanation), html("p", { class: "formula" }, html("code", {}, sql))),
    ]);
  const consent =
    "Only from people who agreed to analytics in the banner or on the preferences page. Of everyone else nothing is " +
    "kept, so nothing is counted, estimated or added up. Programs that say what they are (bots) are left out, and so " +
    "is every row whose time is over.";
  openDialog(
    "How is this counted?",
    html("dl", {}, ...entries),
    html("h3", {}, "From whose consent?"),
    html("p", {}, consent),
    ...(metric === null ? keys() : []),
  );
}

function keys() {
  const box = html("input", {
    type: "checkbox",
    change: () => localStorage.setItem(SHORTCUTS, box.checked ? "on" : "off"),
  });
  box.checked = shortcutsAreOn();
  const list =
    "1 today, 2 seven days, 3 thirty days, 4 twelve months, Escape removes the filters. In the chart the arrow keys " +
    "read the values.";
  return [
    html("h3", {}, "Keyboard"),
    html("p", {}, list),
    html("p", {}, html("label", { class: "check" }, box, " Use these keys")),
  ];
}
