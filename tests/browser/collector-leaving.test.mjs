// How long and how far a page was seen, and how it was left.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startCollected } from "./collected.mjs";
import { eventually } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startCollected>>} */ let collected;

const LONG = `<div id="long" style="height:7200px"></div>`;
const PAGES = {
  "/ways": `<a id="inside" href="/next?step=1#part">in</a> <a id="outside" href="https://elsewhere.example/there#part">out</a>
    <a id="blank" href="https://elsewhere.example/blank" target="_blank">blank</a>
    <a id="write" href="mailto:hello@site.example">write</a> <a id="file" href="/file" download>file</a>
    <form action="/found?from=ways"><input name="q" value="what-was-typed"><button id="go">Go</button></form>
    <button id="scripted" onclick="location.href = '/next?secret=1'">scripted</button>`,
  "/file": { type: "application/octet-stream", body: "file", headers: { "content-disposition": "attachment" } },
  "/long": LONG,
  "/short": "",
  "/app*": LONG,
};

before(async () => {
  collected = await startCollected(PAGES);
});
after(() => collected?.stop());
afterEach(() => collected.clear());

/** @param {string} path */
async function on(path) {
  const { context, page } = await collected.visitor();
  await context.route("https://elsewhere.example/**", (route) => route.fulfill({ contentType: "text/html", body: "elsewhere" }));
  // A page of the site to go back to.
  await page.goto(`${collected.address}/before`);
  const own = await collected.visit(page, path);
  const ends = () => collected.sent(own, "engagement");
  const end = () => eventually(async () => ends().at(-1), "the page was left").then(() => /** @type {import("./collected.mjs").Sent} */ (ends().at(-1)));
  return { context, page, own, ends, end };
}

/** @type {[string, (page: import("./collected.mjs").Tab) => Promise<unknown>, string, string | undefined][]} */
const WAYS = [
  // The query is left out: a script's navigation may carry what was typed into a form.
  ["a link on the site", (page) => page.click("#inside"), "link", "/next"],
  ["a link to elsewhere", (page) => page.click("#outside"), "link", "https://elsewhere.example/there"],
  ["a script, as buttons do", (page) => page.click("#scripted"), "link", "/next"],
  ["a form, without what was typed", (page) => page.click("#go"), "form", "/found?from=ways"],
  ["going back", (page) => page.evaluate(() => void setTimeout(() => history.back())), "traverse", undefined],
  ["a reload by the page", (page) => page.evaluate(() => void setTimeout(() => location.reload())), "reload", undefined],
  ["an address that was typed", (page) => page.goto("about:blank"), "typed", undefined],
  ["closing the tab", (page) => page.close({ runBeforeUnload: true }), "closed", undefined],
];
for (const [name, leave, x, xt] of WAYS) {
  test(`a page says that it was left by ${name}`, async () => {
    const { page, ends, end } = await on("/ways");
    await leave(page);
    const last = await end();
    assert.deepEqual([last.x, last.xt?.replace(collected.address, "")], [x, xt]);
    assert.equal(ends().length, 1);
  });
}

test("what does not end the page is not taken for its end: a download, a mail, another tab", async () => {
  const { page, context, end } = await on("/ways");
  await page.click("#file");
  await page.click("#write");
  await page.click("#blank");
  await eventually(async () => context.pages().length === 2, "the other tab");
  await page.close({ runBeforeUnload: true });
  assert.equal((await end()).x, "closed");
});

test("going back to another site is not taken for a typed address", async () => {
  const { page } = await collected.visitor();
  await page.goto(`${collected.address.replace("127.0.0.1", "localhost")}/before`);
  const own = await collected.visit(page, "/ways");
  await page.evaluate(() => void setTimeout(() => history.back()));
  const { x } = await eventually(async () => collected.sent(own, "engagement")[0], "the page was left");
  assert.ok(!x, x);
});

/** Makes the page think that it was hidden, or shown again: headless tabs always are in sight. @param {import("./collected.mjs").Tab} page @param {boolean} hidden */
const hide = (page, hidden) =>
  page.evaluate((now) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => now });
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (now ? "hidden" : "visible") });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }, hidden);

test("only time in sight counts, told each time the page is hidden, and hiding says nothing of leaving", async () => {
  const { page, own, ends } = await on("/short");
  const began = Date.now();
  await page.waitForTimeout(500);
  await hide(page, true);
  await eventually(async () => ends().length === 1, "hidden");
  const seen = Date.now() - began;
  await page.waitForTimeout(1500);
  await hide(page, false);
  await page.waitForTimeout(300);
  await collected.left(page, own);
  const [first, second, ...rest] = ends();
  assert.deepEqual([first.x, second.x, rest.length], [undefined, "typed", 0]);
  assert.ok(first.e >= 500 && first.e <= seen + 500, `${first.e} of ${seen}`);
  assert.ok(second.e >= 300 && second.e < 1500, String(second.e));
});

test("a telephone or mail link that brought its program to the front is how the page was left", async () => {
  const { page, ends } = await on("/ways");
  await page.click("#write");
  await hide(page, true);
  await eventually(async () => ends().length === 1, "hidden");
  assert.deepEqual([ends()[0].x, ends()[0].xt], ["mail", undefined]);
});

test("the depth is the furthest, of the page as it is in the end", async () => {
  const { page, own } = await on("/long");
  const settled = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.evaluate(() => scrollTo(0, 2880));
  await settled();
  await page.evaluate(() => scrollTo(0, 0));
  await settled();
  await page.evaluate(() => document.querySelector("#long")?.setAttribute("style", "height:14400px"));
  const { sd } = await collected.left(page, own);
  assert.equal(sd, Math.round((100 * (2880 + 720)) / (height + 7200)));
});

test("a page that fits the window was seen whole", async () => {
  const { page, own } = await on("/short");
  assert.equal((await collected.left(page, own)).sd, 100);
});

test("a single-page site's next page begins at its top", async () => {
  const { page, own, ends } = await on("/app/one");
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.evaluate(() => {
    history.pushState({}, "", "/app/other");
    scrollTo(0, 0);
  });
  await eventually(async () => ends()[0], "the first page was left");
  assert.deepEqual([ends()[0].sd, own.startsWith("/app/one")], [100, true]);
  const { sd } = await collected.left(page, "/app/other");
  assert.ok(sd < 20, String(sd));
});
