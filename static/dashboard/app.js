/**
 * The page: reads what to show from the address, asks the API, and hands the answers to their places. It asks again every
 * half minute while someone looks.
 */

import { ApiError, ask, session, signIn, signOut } from "./api.js";
import { CARDS, ROWS, createCard, rowsOf } from "./card.js";
import { createChart } from "./chart.js";
import { TABLE_ROWS, createConsent, explainConsent, showConsentTable } from "./consent.js";
import { closeDialog, openDialog } from "./dialog.js";
import { byId, html } from "./element.js";
import { explain, shortcutsAreOn } from "./explain.js";
import { capital, clock, dateRange, label, short } from "./format.js";
import { RANGES, filtered, parameters, readView, writeView } from "./period.js";
import { TILES, createTotals } from "./totals.js";

/** How often the figures are asked for again, in milliseconds. */
const REFRESH = 30_000;

let today = "";
/** @type {import("./period.js").View} */
let view;
/** @type {{ totals: import("./api.js").Totals, series: import("./api.js").Series } | null} */
let answered = null;
let asking = new AbortController();
let askedAt = 0;

const totals = createTotals(
  byId("totals"),
  (metric) => go({ ...view, metric: view.metric === metric ? null : metric }),
  (metric) => explain(metric).catch(showFailure),
);
const chart = createChart(byId("chart"), /** @type {HTMLDetailsElement} */ (byId("chart-table")));
const cards = CARDS.map((kind) =>
  createCard(kind, {
    tab: (by) => go({ ...view, tabs: { ...view.tabs, [kind.id]: by } }),
    filter: toggleFilter,
    more: (by) => showMore(kind, by),
  }),
);
byId("cards").append(...cards.map((card) => card.element));
const consent = createConsent(byId("consent"), {
  table: () => showConsentTable(parameters(unfiltered(), { limit: TABLE_ROWS })).catch(showFailure),
  why: () => explainConsent().catch(showFailure),
});
byId("ranges").append(
  ...RANGES.map((range) =>
    html("button", { "data-range": range.id, title: `Key ${range.key}`, click: () => goRange(range.id) }, range.name),
  ),
  html("button", { "data-range": "custom", click: showCustom }, "Custom"),
);

/** The view without its filters: answers to the banner know no pages and no countries. */
const unfiltered = () => ({ ...view, filters: [] });

/** Shows another view and puts it into the address. @param {import("./period.js").View} next */
function go(next) {
  /** @param {import("./period.js").View} of */
  const asked = (of) => `${parameters(of)} ${JSON.stringify(of.tabs)}`;
  const asksAnew = asked(next) !== asked(view);
  view = next;
  history.pushState(null, "", writeView(view));
  render();
  if (asksAnew) load();
}

/** @param {string} id */
function goRange(id) {
  byId("custom").hidden = true;
  go({ ...view, ...readView(`?range=${id}`, today), metric: view.metric, filters: view.filters, tabs: view.tabs });
}

/** @param {string} dimension @param {string} value */
function toggleFilter(dimension, value) {
  const already = view.filters.some(([name, held]) => name === dimension && held === value);
  closeDialog();
  go(filtered(view, dimension, already ? null : value));
}

function showCustom() {
  const form = /** @type {HTMLFormElement} */ (byId("custom"));
  form.hidden = !form.hidden;
  const [from, to] = /** @type {HTMLInputElement[]} */ ([
    form.elements.namedItem("from"),
    form.elements.namedItem("to"),
  ]);
  [from.value, to.value, from.max, to.max] = [view.from, view.to, today, today];
  if (!form.hidden) from.focus();
  render();
}

/** What the view alone decides. */
function render() {
  const custom = !byId("custom").hidden;
  for (const button of byId("ranges").querySelectorAll("button")) {
    const pressed = custom ? button.dataset.range === "custom" : button.dataset.range === view.range;
    button.setAttribute("aria-pressed", String(pressed));
  }
  const range = RANGES.find(({ id }) => id === view.range);
  byId("heading").textContent = range?.heading ?? capital(dateRange(view.from, view.to));
  totals.press(view.metric);
  for (const card of cards) card.choose(view.tabs[card.kind.id]);
  byId("filters").hidden = view.filters.length === 0;
  byId("filters").replaceChildren(
    ...view.filters.map(([dimension, value]) =>
      html(
        "button",
        { class: "chip", click: () => go(filtered(view, dimension, null)) },
        html("span", { class: "muted" }, `${nameOf(dimension)} `),
        label(dimension, value),
        html("span", { class: "chip-x", "aria-hidden": "true" }, "✕"),
        html("span", { class: "visually-hidden" }, " (remove filter)"),
      ),
    ),
    view.filters.length > 1
      ? html("button", { class: "link", click: () => go({ ...view, filters: [] }) }, "Remove all")
      : "",
  );
  const tile = TILES.find(({ name }) => name === view.metric);
  byId("chart-title").textContent = tile?.title ?? "Visitors, visits and page views";
  if (answered) showFigures(answered.totals, answered.series);
}

/** @param {string} dimension */
const nameOf = (dimension) =>
  ({ page: "Saw", entry_page: "Entered on", os: "System" })[dimension] ?? capital(dimension);

/** @param {import("./api.js").Totals} found @param {import("./api.js").Series} series */
function showFigures(found, series) {
  totals.show(found);
  chart.show(series, view.metric);
  const { from, to, same_time } = found.compared_with;
  const before = dateRange(from, to);
  byId("compared").textContent =
    `${dateRange(found.period.from, found.period.to)}, compared with ${before}${same_time ? " up to the same time" : ""}`;
  byId("chart-note").textContent = view.metric ? `Dashed grey: ${before}` : `By ${series.bucket}`;
  document.title = `${short(found.current.visitors)} visitors · ${byId("heading").textContent} · Consentry`;
}

/** Asks for everything. The old figures stay until the new ones are there. */
async function load() {
  asking.abort();
  const mine = (asking = new AbortController());
  askedAt = Date.now();
  byId("dashboard").setAttribute("aria-busy", "true");
  const { signal } = mine;
  const shown = view;
  const foundTotals = ask("totals", parameters(shown), signal);
  const both = Promise.all([foundTotals, ask("series", parameters(shown), signal)]).then(([found, series]) => {
    if (signal.aborted) return;
    today = found.period.today;
    answered = { totals: found, series };
    showFigures(found, series);
    showEmpty(found);
  });
  const lists = cards.map(async (card) => {
    const asked = parameters(shown, { by: card.choose(shown.tabs[card.kind.id]), limit: ROWS });
    const [breakdown, found] = await Promise.all([ask(card.kind.id, asked, signal), foundTotals]);
    if (!signal.aborted) card.show(breakdown, found.current.visitors, shown.filters);
  });
  const answers = ask("consent", parameters(unfiltered(), { limit: 1 }), signal).then((found) => {
    if (!signal.aborted) consent.show(found);
  });
  const results = await Promise.allSettled([both, ...lists, answers]);
  if (signal.aborted) return;
  byId("dashboard").removeAttribute("aria-busy");
  const failed = results.find((result) => result.status === "rejected");
  if (!failed) byId("updated").textContent = `Updated at ${clock(new Date())}; again every half minute.`;
  await showFailure(failed ? failed.reason : null);
}

/** @param {unknown} failure */
async function showFailure(failure) {
  const place = byId("error");
  place.hidden = failure === null;
  if (failure === null) return;
  // Without any figure yet, empty panels would only look like an empty site.
  if (!answered) byId("dashboard").classList.add("is-empty");
  if (failure instanceof ApiError && failure.code === "signed_out") return start();
  const retry = html("button", { class: "link", click: load }, "Try again");
  const message = failure instanceof ApiError ? failure.message : "Something went wrong while drawing this page.";
  place.replaceChildren(html("p", {}, message, " "), retry);
  if (!(failure instanceof ApiError)) throw failure;
}

/** What to do where there is nothing to see. @param {import("./api.js").Totals} found */
function showEmpty(found) {
  document.getElementById("empty")?.remove();
  const nothing = found.current.visitors === 0 && found.previous.visitors === 0;
  byId("dashboard").classList.toggle("is-empty", nothing);
  if (!nothing) return;
  const when = RANGES.find(({ id }) => id === view.range)?.empty ?? "in this time";
  const widen = html("button", { class: "primary", click: () => goRange("12m") }, "Show the last 12 months");
  const clear = html("button", { class: "primary", click: () => go({ ...view, filters: [] }) }, "Remove the filters");
  const steps = html(
    "ol",
    {},
    html("li", {}, "Open your site through the gateway (port 8080 unless configured otherwise)."),
    html("li", {}, "Accept analytics in the banner, and look at a page or two."),
    html("li", {}, "Come back here: the visit appears within seconds."),
  );
  byId("totals").after(
    html(
      "section",
      { id: "empty", class: "panel empty" },
      html("h2", {}, `No visits ${when}`),
      view.filters.length
        ? html("p", {}, "No visit fits the filters you have set.")
        : html(
            "p",
            {},
            "Only people who agree to analytics are counted, so a new or quiet site shows nothing at first.",
          ),
      view.filters.length ? clear : steps,
      view.filters.length || view.range === "12m" ? null : widen,
    ),
  );
}

/** @param {import("./card.js").CardKind} kind @param {string} by */
async function showMore(kind, by) {
  openDialog(
    `${kind.title}: ${kind.tabs.find(([word]) => word === by)?.[1] ?? by}`,
    html("p", { class: "muted" }, "Loading…"),
  );
  try {
    const breakdown = await ask(kind.id, parameters(view, { by, limit: 500 }));
    const rows = rowsOf(breakdown, answered?.totals.current.visitors ?? 0, view.filters, toggleFilter);
    byId("dialog-body").replaceChildren(
      html("ol", { class: "rows" }, ...rows),
      breakdown.more ? html("p", { class: "muted" }, "These are the first 500.") : "",
    );
  } catch (failure) {
    closeDialog();
    await showFailure(failure);
  }
}

/** Shows the sign-in page or the dashboard, whichever it is time for. */
async function start() {
  let found;
  try {
    found = await session();
  } catch (failure) {
    byId("sign-in-error").textContent = failure instanceof Error ? failure.message : "";
    found = { signed_in: false };
  }
  byId("sign-in").hidden = found.signed_in;
  byId("dashboard").hidden = !found.signed_in;
  if (!found.signed_in || !found.today) return void byId("password").focus();
  today = found.today;
  view = readView(location.search, today);
  render();
  await load();
}

byId("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (byId("password"));
  const error = byId("sign-in-error");
  error.textContent = "";
  try {
    await signIn(field.value);
    field.value = "";
    await start();
  } catch (failure) {
    error.textContent = failure instanceof Error ? failure.message : "";
    field.select();
  }
});
byId("sign-out").addEventListener("click", async () => {
  await signOut().catch(showFailure);
  answered = null;
  location.assign("/");
});
byId("custom").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  const [from, to] = [String(given.get("from")), String(given.get("to"))].sort();
  byId("custom").hidden = true;
  go({ ...view, range: "custom", from, to });
});
byId("help").addEventListener("click", () => explain().catch(showFailure));
window.addEventListener("popstate", () => {
  if (byId("dashboard").hidden) return;
  view = readView(location.search, today);
  render();
  load();
});
document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const typing = target.matches("input, textarea, select, .canvas") || document.querySelector("dialog[open]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("dashboard").hidden) return;
  if (!shortcutsAreOn()) return;
  const range = RANGES.find(({ key }) => key === event.key);
  if (range) goRange(range.id);
  else if (event.key === "Escape" && view.filters.length) go({ ...view, filters: [] });
});

/** Today moves on while the page stays open; the ranges move with it. */
function refresh() {
  if (byId("dashboard").hidden || document.visibilityState !== "visible" || Date.now() - askedAt < REFRESH) return;
  if (view.range !== "custom")
    view = {
      ...view,
      ...readView(`?range=${view.range}`, today),
      metric: view.metric,
      filters: view.filters,
      tabs: view.tabs,
    };
  load();
}
setInterval(refresh, REFRESH / 6);
document.addEventListener("visibilitychange", refresh);

start();
