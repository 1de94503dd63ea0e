// How events are sent: together, at most once on leaving, once more when that failed, and no more without permission.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { brotliCompressSync, constants } from "node:zlib";
import { BUILT, built } from "./build.mjs";
import { startCollected } from "./collected.mjs";
import { eventually } from "./support.mjs";
import { WORDS } from "../../static/collector/words.js";

/** @type {Awaited<ReturnType<typeof startCollected>>} */ let collected;
/** What the gateway is made to answer to beacons, in turn; then it answers itself. @type {number[]} */
const answers = [];
let open = () => {};
const slow = new Promise((/** @type {(value: void) => void} */ done) => (open = done));

const POLICY = "default-src 'none'; script-src 'nonce-abc'; style-src 'none'; connect-src 'none'; form-action 'none'; base-uri 'none'; trusted-types 'none'; require-trusted-types-for 'script'";
const PAGES = {
  "/page": `<button id="press">Press</button><a id="on" href="/next">on</a><a id="away" href="https://elsewhere.example/">away</a>`,
  "/strict": { body: `<button id="press">Press</button>`, headers: { "content-security-policy": POLICY } },
  "/loading": `<img src="/slow.png" alt=""><a id="on" href="/next">on</a>`,
  "/slow.png": { type: "image/png", body: "", until: slow },
  "/hostile": { head: `<script>
    window.problems = [];
    addEventListener("error", (event) => problems.push(event.message));
    addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));
    window.consentry = Object.freeze({ mine: true });
    JSON.stringify = () => { throw new Error("broken") };
    performance.getEntriesByType = () => { throw new Error("broken") };
  </script>` },
};

before(async () => {
  collected = await startCollected(PAGES, { answer: (path) => (path === "/_privacy/events" ? answers.shift() : undefined) });
});
after(() => {
  open();
  return collected?.stop();
});
afterEach(() => {
  answers.length = 0;
  return collected.clear();
});

/** @param {string} path */
const beacons = (path) => collected.beacons().filter(({ body }) => body.includes(`"u":"${path}`));

test("with everything on the collector is at most 2,560 bytes in brotli, and is what its sources give", async () => {
  assert.equal((await readFile(BUILT)).toString(), await built(), "run `make static`");
  const file = await (await fetch(`${collected.gateway.address}/_privacy/collector.js`)).text();
  const small = brotliCompressSync(file, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  assert.ok(small.length <= 2560, `${small.length} bytes`);
  assert.ok(!file.includes("CONSENTRY_") && file.includes(`=${2 ** WORDS.length - 1},`), file);
  assert.ok(!/\beval\b|Function\(|innerHTML|localStorage|sessionStorage|indexedDB|\.cookie/.test(file));
});

test("several events at once travel together, after a moment", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/page");
  await page.click("#press");
  await page.click("#press");
  await page.evaluate(() => /** @type {any} */ (window).consentry.track("Own"));
  await eventually(async () => collected.sent(own).length === 4, "all four");
  assert.equal(beacons(own).length, 1);
  const { events, ...rest } = JSON.parse(beacons(own)[0].body);
  assert.deepEqual(rest, { v: 1 });
  assert.deepEqual(events.map((/** @type {any} */ { n }) => n).sort(), ["Own", "click", "click", "page_loaded"]);
  const ages = events.map((/** @type {any} */ { t }) => t);
  assert.deepEqual(ages, ages.toSorted((/** @type {number} */ a, /** @type {number} */ b) => b - a), "how long ago each was");
});

test("many events go at once: fifteen, or 8 KB of them, and never more than twenty in a beacon", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/page");
  await eventually(async () => collected.sent(own).length === 1, "the page view");
  const tracked = () => new Set(collected.sent(own, "Own").map(({ i }) => i)).size;
  const track = (/** @type {number} */ count, /** @type {string} */ text) =>
    page.evaluate(([count, text]) => { for (let i = 0; i < Number(count); i += 1) /** @type {any} */ (window).consentry.track("Own", { text, i }); return performance.now(); }, [count, text]);
  await track(15, "short");
  await eventually(async () => tracked() === 15, "fifteen");
  assert.ok(collected.sent(own, "Own").every(({ t }) => t < 1000), "without waiting");
  await track(5, "long".repeat(500));
  await eventually(async () => tracked() === 20, "8 KB");
  assert.ok(collected.sent(own, "Own").every(({ t }) => t < 1000), "without waiting");
  await track(45, "short");
  await eventually(async () => tracked() === 65, "all of a burst");
  for (const { body } of beacons(own)) assert.ok(JSON.parse(body).events.length <= 20 && body.length <= 16_384);
});

test("leaving is one request, whatever still waits, with the page view where it was not told yet", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/page");
  await eventually(async () => collected.sent(own).length === 1, "the page view");
  await page.click("#press");
  await page.click("#on");
  await eventually(async () => collected.sent(own, "engagement")[0], "left");
  assert.deepEqual(beacons(own).map(({ body }) => JSON.parse(body).events.map((/** @type {any} */ { n }) => n)), [["page_loaded"], ["click", "click", "engagement"]]);
});

test("a page that is left while it loads is told of on leaving, without the times that had not come", async () => {
  const { page } = await collected.visitor();
  await page.goto(`${collected.address}/loading`, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => "consentry" in window);
  await page.waitForTimeout(100);
  assert.deepEqual(collected.sent("/loading"), []);
  await page.click("#on");
  await eventually(async () => collected.sent("/loading", "engagement")[0], "left");
  const [view] = collected.sent("/loading", "page_loaded");
  assert.deepEqual([view.load || 0, collected.sent("/loading").length, beacons("/loading").length], [0, 3, 1]);
  assert.ok(view.dom > 0 && view.ttfb >= 0);
});

for (const status of [429, 503]) {
  test(`a beacon that was answered ${status} is sent once more, with the same ids and its true age, and then given up`, async () => {
    const { page } = await collected.visitor();
    answers.push(status, status);
    const own = await collected.visit(page, "/page");
    await eventually(async () => beacons(own).length === 2, "the second try");
    const [[first], [second]] = beacons(own).map(({ body }) => JSON.parse(body).events);
    assert.equal(second.i, first.i);
    assert.ok(second.t - first.t >= 4000, `${second.t} after ${first.t}`);
    await page.waitForTimeout(6000);
    assert.equal(beacons(own).length, 2);
  });
}

test("after a refusal the page is silent for good, and a beacon that was wrong is not repeated", async () => {
  const { page } = await collected.visitor();
  answers.push(400);
  const own = await collected.visit(page, "/page");
  await eventually(async () => beacons(own).length === 1, "the wrong one");
  answers.push(403);
  await page.click("#press");
  await eventually(async () => beacons(own).length === 2, "the refused one");
  await page.waitForTimeout(200);
  await page.click("#press");
  await page.evaluate(() => history.pushState({}, "", "/page/other"));
  await page.evaluate(() => /** @type {any} */ (window).consentry.track("Own"));
  await page.waitForTimeout(2500);
  await page.goto("about:blank");
  await page.waitForTimeout(500);
  // Another test's page may still be on its way out.
  assert.deepEqual([beacons(own).length, beacons("/page/other").length], [2, 0]);
});

test("in browsers so old that requests may end with their page, beacons are sent instead", async () => {
  const { page } = await collected.visitor();
  await page.addInitScript(() => Object.defineProperty(window, "navigation", { value: undefined }));
  const own = await collected.visit(page, "/page");
  await collected.left(page, own);
  assert.ok(beacons(own).every(({ type }) => type.startsWith("text/plain")));
  assert.equal(collected.sent(own).length, 2);
});

test("nothing is kept on the device, and the one global is the site's if it has it", async () => {
  const { context, page } = await collected.visitor();
  await page.addInitScript(() => {
    /** @type {any} */ (window).consentry = { mine: 1 };
    addEventListener("DOMContentLoaded", () => {}, { once: true });
    /** @type {any} */ (window).before = Object.getOwnPropertyNames(window);
  });
  await page.goto(`${collected.address}/page`);
  await page.waitForFunction(() => ["track", "get"].every((name) => name in /** @type {any} */ (window).consentry));
  const found = await page.evaluate(async () => {
    const w = /** @type {any} */ (window);
    return {
      added: Object.getOwnPropertyNames(window).filter((name) => !w.before.includes(name) && !/^(before|on|press|away|__.*)$/.test(name)),
      mine: w.consentry.mine,
      keys: ["mine", "get", "set", "on", "track"].filter((name) => name in w.consentry).concat(Object.keys(w.consentry).slice(5)),
      stored: [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches?.keys?.().catch(() => []))?.length ?? 0],
      cookies: document.cookie,
    };
  });
  assert.deepEqual([found.added, found.mine, found.keys, found.cookies], [[], 1, ["mine", "get", "set", "on", "track"], "consentry_choice=preferences!analytics!marketing"]);
  assert.deepEqual(found.stored.slice(0, 3), [0, 0, 0]);
  assert.ok((await context.cookies()).every(({ name, httpOnly }) => name.startsWith("consentry") && (httpOnly || name === "consentry_choice")));
});

test("an error of ours never reaches the page", async () => {
  const { page } = await collected.visitor();
  /** @type {string[]} */
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(`${collected.address}/hostile`, { waitUntil: "networkidle" });
  await page.mouse.wheel(0, 100);
  await page.click("h1");
  assert.deepEqual([problems, await page.evaluate(() => /** @type {any} */ (window).problems)], [[], []]);
});

test("the collector runs under a strict policy with trusted types, and breaks none of it", async () => {
  const { page } = await collected.visitor();
  /** @type {string[]} */
  const problems = [];
  page.on("console", (message) => /policy|trusted/i.test(message.text()) && problems.push(message.text()));
  const own = await collected.visit(page, "/strict");
  await page.click("#press");
  await collected.left(page, own);
  assert.deepEqual(collected.sent(own).map(({ n }) => n), ["page_loaded", "click", "engagement"]);
  assert.deepEqual(problems, []);
});
