// Which page views there are and what is told of each: of classic and single-page sites, prerendered, reloaded, gone back to.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { startCollected } from "./collected.mjs";
import { eventually } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startCollected>>} */ let collected;

const RULES = JSON.stringify({ prerender: [{ source: "list", urls: ["/prerendered"], eagerness: "immediate" }] });
const PAGES = {
  "/app*": `<p style="height:3000px">Long</p>`,
  "/plain": `<a id="on" href="/next">on</a>`,
  "/unkept": { headers: { "cache-control": "no-store" } },
  "/missing": { status: 404 },
  "/login": { head: '<meta data-consentry-login="ann-7">' },
  "/accepting": `<script>fetch("/_privacy/consent", { method: "POST", headers: { "content-type": "application/json" }, body: '{"choice":"accept","source":"banner"}' })
    .then(() => location.replace("/speculating"));</script>`,
  "/speculating": `<script type="speculationrules">${RULES}</script><script>setTimeout(() => (location.href = "/prerendered"), 3000);</script>`,
  "/prerendered": `<script>document.addEventListener("prerenderingchange", () => { fetch("/looked-at"); setTimeout(() => (location.href = "/next"), 500); });</script>`,
};

before(async () => {
  collected = await startCollected(PAGES);
});
after(() => collected?.stop());
afterEach(() => collected.clear());

/** @param {string} path @returns {import("./collected.mjs").Sent[]} */
const views = (path) => collected.sent(path).filter(({ n }) => n === "page_loaded" || n === "pageview");
/** @param {string} path @param {number} count */
const viewed = async (path, count) => {
  await eventually(async () => views(path).length >= count, `${count} page views of ${path}`);
  return views(path);
};

test("a page view says what the browser is: time zone, languages, screen, viewport, connection, plug-ins, title", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/plain");
  const [view] = await viewed(own, 1);
  const id = await page.locator("[data-consentry-collector]").getAttribute("data-consentry-page");
  assert.deepEqual([view.n, view.nt, view.p, view.u], ["page_loaded", "navigate", id, own]);
  assert.deepEqual([view.tz, view.lang, view.screen, view.vp, view.ti], ["Europe/London", "en-GB", "1280x720", "1280x720", "/plain"]);
  assert.match(view.net, /^(slow-2g|[234]g)$/);
  assert.ok(view.pl.length > 0 && view.pl.length <= 16 && view.pl.includes("PDF Viewer"), String(view.pl));
  assert.match(view.i, /^[0-9a-f]{16}$/);
  assert.ok(Number.isInteger(view.t) && view.t >= 0);
  assert.equal(view.login, undefined);
});

test("the site's own user id is told where an element names it", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/login");
  assert.equal((await viewed(own, 1))[0].login, "ann-7");
});

test("a single-page site's pages are page views of their own, each after the time spent on the one before", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/app/start");
  await viewed(own, 1);
  await page.evaluate(() => {
    history.pushState({}, "", "/app/two?tab=1#part");
    document.title = "Two";
  });
  await page.evaluate(() => history.replaceState({}, "", "/app/three"));
  await page.evaluate(() => history.pushState({}, "", "/app/three#part"));
  await page.evaluate(() => history.replaceState({ state: 1 }, "", "/app/three#other"));
  await viewed("/app/three", 1);
  await page.evaluate(() => history.back());
  await page.evaluate(() => history.go(-1));
  await viewed(own, 2);
  await collected.left(page, own);
  const { address } = collected;
  const told = collected.sent("/app").map(({ n, u, nt, r, x }) => [n, u, nt ?? x, n === "pageview" ? r?.replace(address, "") : undefined]);
  assert.deepEqual(told, [
    ["page_loaded", own, "navigate", undefined],
    ["engagement", own, "link", undefined],
    ["pageview", "/app/two?tab=1", "spa", own],
    ["engagement", "/app/two?tab=1", "link", undefined],
    ["pageview", "/app/three", "spa", "/app/two?tab=1"],
    ["engagement", "/app/three", "traverse", undefined],
    ["pageview", own, "spa", "/app/three"],
    ["engagement", own, "", undefined],
  ]);
  const ids = collected.sent("/app").map(({ p }) => p);
  assert.equal(new Set(ids).size, 4, "an id for each page view");
  assert.equal(new Set(collected.sent("/app").map(({ i }) => i)).size, 8, "an id for each event");
  assert.equal(collected.sent("/app/two", "pageview")[0].ti, "Two", "the title the page got after it was gone to");
});

test("in browsers without the Navigation API a single-page site's pages are page views too, and only what is known of leaving is told", async () => {
  const { page } = await collected.visitor();
  await page.addInitScript(() => void Object.defineProperty(window, "navigation", { value: undefined }));
  const own = await collected.visit(page, "/app/old");
  await page.evaluate(() => history.pushState({}, "", "/app/newer?a=1"));
  await page.evaluate(() => history.replaceState({}, "", "/app/newest"));
  await page.evaluate(() => history.back());
  await viewed(own, 2);
  await collected.left(page, own);
  assert.deepEqual(collected.sent("/app").map(({ n, u }) => [n, u]), [
    ["page_loaded", own], ["engagement", own], ["pageview", "/app/newer?a=1"], ["engagement", "/app/newer?a=1"],
    ["pageview", "/app/newest"], ["engagement", "/app/newest"], ["pageview", own], ["engagement", own],
  ]);
  assert.ok(collected.sent("/app").every(({ x }) => !x));
});

test("with the option `hash` a route in the fragment is a page, and no other fragment is ever told", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/app/hash");
  await viewed(own, 1);
  await page.evaluate(() => (location.hash = "#/pricing"));
  await viewed(own, 2);
  await page.evaluate(() => (location.hash = "#secret-part"));
  await page.evaluate(() => (location.hash = "#!/about"));
  await viewed(own, 3);
  await page.evaluate(() => history.go(-2));
  await viewed(own, 4);
  await collected.left(page, own);
  assert.deepEqual(views(own).map(({ n, nt, h }) => [n, nt, h]), [
    ["page_loaded", "navigate", undefined], ["pageview", "hash", "/pricing"], ["pageview", "hash", "/about"], ["pageview", "hash", "/pricing"],
  ]);
  assert.ok(!JSON.stringify(collected.sent(own)).includes("#"));
});

test("a reload is a page view that says so", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/plain");
  await viewed(own, 1);
  await page.reload();
  const [, again] = await viewed(own, 2);
  assert.deepEqual([again.n, again.nt], ["page_loaded", "reload"]);
});

test("a page that was not found is told of like any other", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/missing");
  assert.equal((await viewed(own, 1))[0].n, "page_loaded");
});

test("a page out of the browser's cache is a page view with an id of its own, since no gateway saw it", async () => {
  const { page } = await collected.visitor();
  const own = await collected.visit(page, "/plain");
  // What listens for `unload` is not kept in the back/forward cache, but its document is in the browser's.
  await page.evaluate(() => addEventListener("unload", () => {}));
  const [first] = await viewed(own, 1);
  await page.click("#on");
  await page.waitForURL("**/next");
  await page.evaluate(() => void setTimeout(() => history.back()));
  const [, again] = await viewed(own, 2);
  const cached = await page.evaluate(() => performance.getEntriesByType("navigation").map((entry) => /** @type {any} */ (entry).transferSize)[0] === 0);
  assert.deepEqual([again.n, again.nt], [cached ? "pageview" : "page_loaded", "back_forward"]);
  assert.notEqual(again.p, first.p);
  if (cached) assert.deepEqual([again.dns, again.con, again.ttfb], [undefined, undefined, undefined], "no server was asked");
});

test("a prerendered page is told of when it is looked at and not before", async () => {
  // Under Playwright's eyes Chromium prerenders nothing: here it is on its own, and the pages do what a visitor would.
  const profile = await mkdtemp(path.join(tmpdir(), "consentry-profile-"));
  const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const browser = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", [...args, `${collected.address}/accepting`], { stdio: "ignore" });
  try {
    await eventually(async () => collected.sent("/prerendered", "engagement")[0], "the prerendered page was looked at and left");
  } finally {
    browser.kill();
    await once(browser, "exit");
    await rm(profile, { recursive: true, force: true });
  }
  const [view, end] = collected.sent("/prerendered");
  assert.deepEqual([view.n, view.nt], ["pageview", "prerender"]);
  assert.ok(view.dom <= 0 && view.load <= 0, "it was there before it was looked at");
  assert.equal(new URL(view.r).pathname, "/speculating");
  assert.deepEqual([end.n, end.p, end.x], ["engagement", view.p, "link"]);
  const requests = collected.wire.passed.map(({ path }) => path);
  assert.ok(requests.indexOf("/prerendered") < requests.indexOf("/looked-at"), "it was made ready before");
  const told = collected.wire.passed.findIndex(({ body }) => body.includes(`"u":"/prerendered`));
  assert.ok(told > requests.indexOf("/looked-at"), "nothing of it was told before it was looked at");
});
