// The collector: what it sends and when, and that it is silent where it must be.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startSite, startWire } from "./support.mjs";

/** @typedef {{ n: string, u: string, e?: number, sd?: number, tz?: string, [field: string]: unknown }} Sent */

/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {Awaited<ReturnType<typeof startWire>>} */ let wire;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

before(async () => {
  site = await startSite();
  gateway = await startGateway(site.origin);
  wire = await startWire(gateway.address);
  // Playwright switches the back/forward cache off; visitors have it.
  browser = await startBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});

after(async () => {
  await browser?.close();
  wire?.stop();
  await gateway?.stop();
  site?.stop();
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  wire.passed.length = 0;
});

async function visitor() {
  const context = await browser.newContext({ timezoneId: "Europe/London", locale: "en-GB" });
  contexts.push(context);
  return { context, page: await context.newPage() };
}

const beacons = () => wire.passed.filter(({ path, status }) => path === "/_privacy/events" && status !== 0);

/** What collectors sent of the pages whose path begins with `path`. @param {string} path @returns {Sent[]} */
const sent = (path) => beacons().flatMap(({ body }) => JSON.parse(body).events.filter((/** @type {Sent} */ { u }) => u.startsWith(path)));

/** @param {string} path how the gateway answered to that @returns {number[]} */
const answers = (path) => beacons().flatMap(({ body, status }) => (body.includes(`"u":"${path}`) ? [status] : []));

/** @param {import("playwright-core").Page} page @param {"Accept all" | "Reject all"} answer */
async function choose(page, answer) {
  await page.getByRole("button", { name: answer }).click();
  await page.getByText("Your choice is saved.").waitFor();
}

/** @param {string} path */
const rows = (path) =>
  gateway.query(`SELECT name, engagement_ms, scroll_pct, screen, language, time_zone FROM events WHERE path = '${path}' ORDER BY ts`);

test("rule_c2_the_collector_is_neither_loaded_nor_heard_of_before_a_choice_or_after_a_refusal", async () => {
  const { page } = await visitor();
  await page.goto(`${wire.address}/quiet/one`, { waitUntil: "networkidle" });
  await page.mouse.wheel(0, 2000);
  await choose(page, "Reject all");
  await page.goto(`${wire.address}/quiet/two`, { waitUntil: "networkidle" });
  await page.goto("about:blank");
  assert.ok(wire.passed.some(({ path }) => path === "/quiet/two"));
  for (const path of ["/_privacy/events", "/_privacy/collector.js"]) {
    assert.ok(!wire.passed.some((request) => request.path === path), path);
  }
});

test("a page view tells that it was loaded, and on leaving once how long and how far it was seen", async () => {
  const { page } = await visitor();
  await page.goto(`${wire.address}/leave/before`);
  await choose(page, "Accept all");
  await page.goto(`${wire.address}/leave/page?utm_source=letter#part`);
  await eventually(async () => sent("/leave/page")[0], "the page has loaded");
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.goto(`${wire.address}/leave/after`);
  await eventually(async () => sent("/leave/page").length === 2, "the page was left");
  await eventually(async () => (await rows("/leave/page")).length === 3, "its rows");

  const [loaded, left, ...rest] = sent("/leave/page");
  assert.deepEqual(rest, [], "hiding and unloading are one departure");
  assert.equal(loaded.n, "page_loaded");
  assert.equal(loaded.tz, "Europe/London");
  assert.deepEqual([left.n, left.sd, left.u], ["engagement", 100, "/leave/page?utm_source=letter"], "never the fragment");
  assert.ok((left.e ?? 0) > 0);
  assert.deepEqual(answers("/leave/page"), [204, 204]);
  const [view, second, third] = await rows("/leave/page");
  assert.equal(view.name, "pageview");
  assert.deepEqual([second.name, second.language, second.screen], ["page_loaded", "en-GB", "1280x720"]);
  assert.deepEqual([third.name, third.scroll_pct, third.engagement_ms], ["engagement", 100, left.e]);
});

test("a tab that is closed tells how long it was open", async () => {
  const { context, page } = await visitor();
  await page.goto(`${wire.address}/close/before`);
  await choose(page, "Accept all");
  const tab = await context.newPage();
  await tab.goto(`${wire.address}/close/tab`);
  await eventually(async () => sent("/close/tab")[0], "the page has loaded");
  await tab.close({ runBeforeUnload: true });
  await eventually(async () => (await rows("/close/tab")).find(({ name }) => name === "engagement"), "its row");
});

test("accepting tells nothing of the time before: no page view, no time", async () => {
  const { page } = await visitor();
  await page.goto(`${wire.address}/late/page`, { waitUntil: "networkidle" });
  await page.mouse.click(5, 5);
  await page.waitForTimeout(1000);
  const accepted = Date.now();
  await choose(page, "Accept all");
  const loaded = await eventually(async () => sent("/late/page")[0], "the collector has begun");
  const { i, p, t, pl, net, ...told } = loaded;
  assert.deepEqual(told, { n: "page_loaded", nt: "consent", r: "", u: "/late/page", lang: "en-GB", screen: "1280x720", tz: "Europe/London", vp: "1280x720" });
  assert.ok(Number(t) < 3000, "since the choice");
  await page.goto(`${wire.address}/late/next`);
  await eventually(async () => (await rows("/late/next")).find(({ name }) => name === "pageview"), "the next page's row");
  await eventually(async () => sent("/late/page").some(({ n }) => n === "engagement"), "the page was left");
  const left = sent("/late/page").filter(({ n }) => n === "engagement")[0];
  for (const vital of ["lcp", "fcp", "cls", "inp"]) assert.ok(!(vital in left), vital);
  assert.ok((left.e ?? 0) < Date.now() - accepted + 500, "no time before the choice");
  const names = (await rows("/late/page")).map(({ name }) => name);
  assert.ok(!names.includes("pageview"), String(names));
});

test("after a refusal in another tab the open page's beacons are refused and nothing is stored", async () => {
  const { context, page } = await visitor();
  await page.goto(`${wire.address}/tabs/before`);
  await choose(page, "Accept all");
  await page.goto(`${wire.address}/tabs/open`);
  await eventually(async () => (await rows("/tabs/open")).some(({ name }) => name === "page_loaded"), "the open page is captured");
  const before = (await rows("/tabs/open")).length;

  const other = await context.newPage();
  await other.goto(`${wire.address}/_privacy/`);
  const anew = page.waitForEvent("load");
  await other.getByRole("button", { name: "Withdraw all consent" }).click();
  await other.getByText("Your choices are saved").first().waitFor();
  // The open page hears of it and loads itself anew: so it is left.
  await anew;
  const cookies = (await context.cookies()).map(({ name }) => name);
  assert.deepEqual(cookies, ["consentry", "consentry_choice"]);
  await page.goto(`${wire.address}/tabs/after`);
  await eventually(async () => sent("/tabs/open").some(({ n }) => n === "engagement"), "the open page was left");
  assert.deepEqual(answers("/tabs/open"), [204, 403], "the departure is refused");
  assert.deepEqual((await context.cookies()).map(({ name }) => name), ["consentry", "consentry_choice"]);

  const witness = await visitor();
  await witness.page.goto(`${wire.address}/tabs/witness`);
  await choose(witness.page, "Accept all");
  await witness.page.goto(`${wire.address}/tabs/witness/two`);
  await eventually(async () => (await rows("/tabs/witness/two"))[0], "a later visitor's row");
  assert.equal((await rows("/tabs/open")).length, before);
  assert.deepEqual(await rows("/tabs/after"), []);
});

test("a page out of the back/forward cache begins anew, unless the visitor has withdrawn meanwhile", async () => {
  const { context, page } = await visitor();
  await page.goto(`${wire.address}/bfcache/before`);
  await choose(page, "Accept all");
  await page.goto(`${wire.address}/bfcache/one`);
  await page.evaluate(() => addEventListener("pageshow", (event) => (document.title = event.persisted ? "kept" : "anew")));
  const begun = () => sent("/bfcache/one").filter(({ n }) => n === "page_loaded" || n === "pageview").length;
  await eventually(async () => begun() === 1, "the page has begun");
  const forth = async () => {
    await page.evaluate(() => void setTimeout(() => (location.href = "/bfcache/two")));
    await eventually(async () => page.url().endsWith("/two"), "the next page");
    await page.waitForLoadState("load");
  };
  const back = async () => {
    await page.evaluate(() => void setTimeout(() => history.back()));
    await eventually(async () => page.url().endsWith("/one"), "back again");
  };
  await forth();
  await back();
  await eventually(async () => (await page.title()) === "kept", "from the cache");
  await eventually(async () => begun() === 2, "the page has begun anew");

  await forth();
  const other = await context.newPage();
  await other.goto(`${wire.address}/_privacy/`);
  await other.getByRole("button", { name: "Withdraw all consent" }).click();
  await other.getByText("Your choices are saved").first().waitFor();
  const asked = page.waitForResponse(`${wire.address}/_privacy/consent`);
  await back();
  await asked;
  const told = answers("/bfcache/").filter((status) => status === 204).length;
  await page.goto(`${wire.address}/bfcache/three`, { waitUntil: "networkidle" });
  assert.equal(begun(), 2, "it stays silent after a withdrawal");
  assert.equal(answers("/bfcache/").filter((status) => status === 204).length, told);
});
