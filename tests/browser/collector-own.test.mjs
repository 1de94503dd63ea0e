// Forms, the site's own events, failures and speed.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startCollected } from "./collected.mjs";
import { eventually } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startCollected>>} */ let collected;

const PAGES = {
  "/form": `<form id="form" name="contact" action="/sent?secret=1#part" data-consentry-event="Asked" data-consentry-event-plan="gold">
      <input name="email" type="email" required value=""><input name="action" value="x"><textarea name="name">typed</textarea>
      <button id="go">Send</button></form>
    <form id="ajax" aria-label="Newsletter"><input name="a" value="typed"><button id="send">Send</button></form>
    <script>document.querySelector("#ajax").addEventListener("submit", (event) => event.preventDefault());</script>`,
  "/own": `<button id="buy" type="button" data-consentry-event="Bought" data-consentry-event-plan="gold" data-consentry-event-plan-size="12">Buy</button>
    <a id="link" href="/own" data-consentry-event="Followed" onclick="return false">Follow</a>`,
  "/failing": `<button id="throw" onclick="null.secretName">throw</button><button id="reject" onclick="Promise.reject(new Error('secret'))">reject</button>
    <button id="often" onclick="for (let i = 0; i < 50; i += 1) setTimeout(() => { throw new RangeError('secret') })">often</button>
    <script>addEventListener("load", () => setTimeout(() => {
      const add = (name, attributes) => document.body.append(Object.assign(document.createElement(name), attributes));
      add("img", { src: "/gone.png?a=1#part" }); add("script", { src: "/gone.js" }); add("img", { src: "data:image/png;base64,c2VjcmV0" });
    }, 200));</script>`,
  "/gone.png": { status: 404, type: "text/plain" },
  "/gone.js": { status: 404, type: "text/plain" },
  "/vitals": `<div id="late"></div><p>Text that is painted</p><button id="slow" onclick="const end = performance.now() + 150; while (performance.now() < end);">slow</button>
    <script>addEventListener("load", () => setTimeout(() => (document.querySelector("#late").style.height = "300px"), 100));</script>`,
  "/plain": "<p>Text that is painted</p>",
};

before(async () => {
  collected = await startCollected(PAGES);
});
after(() => collected?.stop());
afterEach(() => collected.clear());

/** @param {string} path */
async function on(path) {
  const { context, page } = await collected.visitor();
  const own = await collected.visit(page, path);
  /** @param {string} name @param {number} [count] @returns {Promise<import("./collected.mjs").Sent[]>} */
  const told = async (name, count = 1) => {
    await eventually(async () => collected.sent(own, name).length >= count, `${count} ${name}`);
    return collected.sent(own, name);
  };
  return { context, page, own, told };
}

test("a submitted form is told with its name and where it goes, never with what was written, and not while it is invalid", async () => {
  const { page, own, told } = await on("/form");
  await page.click("#go");
  await page.evaluate(() => /** @type {HTMLFormElement} */ (document.querySelector("#form")).requestSubmit());
  await page.waitForTimeout(1500);
  assert.deepEqual(collected.sent(own, "form_submit"), [], "it was invalid");
  await page.fill("[name=email]", "ann@example.org");
  await page.click("#go");
  const [submit] = await told("form_submit");
  assert.deepEqual([submit.el, submit.l, submit.to], ["form", "contact", `${collected.address}/sent?secret=1`]);
  const [event] = await told("Asked");
  assert.deepEqual(event.props, { plan: "gold" });
  assert.ok(!/ann|typed/.test(JSON.stringify(collected.sent(own))));
  assert.equal(collected.sent(own, "form_submit").length, 1);
});

test("a form that its page sends itself is a submit, and so is one a script submits", async () => {
  const { page, told } = await on("/form");
  await page.click("#send");
  await page.evaluate(() => /** @type {HTMLFormElement} */ (document.querySelector("#ajax")).requestSubmit());
  assert.deepEqual((await told("form_submit", 2)).map(({ l }) => l), ["Newsletter", "Newsletter"]);
});

test("the site's own events are told with their properties and revenue", async () => {
  const { page, own, told } = await on("/own");
  await page.evaluate(() => {
    const { track } = /** @type {any} */ (window).consentry;
    track("Signed up", { plan: "gold", seats: 12, trial: true, revenue: { amount: 9.5, currency: "GBP" } });
    track("Alone");
  });
  const [event] = await told("Signed up");
  assert.deepEqual([event.props, event.rev], [{ plan: "gold", seats: 12, trial: true }, { amount: 9.5, currency: "GBP" }]);
  const [alone] = await told("Alone");
  assert.deepEqual([alone.props, alone.rev], [{}, undefined]);
  await eventually(async () => (await collected.gateway.query(`SELECT 1 FROM events WHERE name = 'Signed up'`))[0], "its row");
  assert.ok(own);
});

test("marked elements tell their event when clicked, beside the click itself", async () => {
  const { page, own, told } = await on("/own");
  await page.click("#buy");
  await page.click("#link");
  const [event] = await told("Bought");
  assert.deepEqual([event.el, event.l, event.props], ["button", "Buy", { plan: "gold", "plan-size": "12" }]);
  await told("Followed");
  assert.equal(collected.sent(own, "click").length, 2);
});

test("an event that may not be kept takes nothing down with it, and one that cannot be sent is left out", async () => {
  const { page, own, told } = await on("/own");
  await page.evaluate(() => {
    const { track } = /** @type {any} */ (window).consentry;
    track("page_gone_wrong!?", { a: 1 });
    track("Nested", { list: [1, 2] });
    track("Endless", { number: 1n });
    track();
    track("Good");
  });
  await told("Good", 2);
  const row = () => collected.gateway.query(`SELECT name FROM events WHERE path = '/own' AND name IN ('Good', 'page_loaded', 'Nested', 'Endless')`);
  await eventually(async () => (await row()).some(({ name }) => name === "Good"), "the row of the good one");
  assert.ok(!(await row()).some(({ name }) => /Nested|Endless/.test(name)));
  assert.ok(!collected.sent(own, "Endless").length);
});

test("what failed is told by its kind and source, never by its message, and not fifty times", async () => {
  const { page, own, told } = await on("/failing");
  const gone = await told("resource_error", 2);
  const { address } = collected;
  assert.deepEqual(gone.map(({ k, to }) => [k, to]).sort(), [["img", `${address}/gone.png?a=1`], ["script", `${address}/gone.js`]]);
  for (const id of ["throw", "reject", "often"]) await page.click(`#${id}`);
  const errors = await told("script_error", 3);
  assert.deepEqual(errors.map(({ k }) => k), ["TypeError", "unhandledrejection", "RangeError"]);
  assert.ok(errors[0].to.startsWith(`${address}/failing`));
  await collected.left(page, own);
  assert.equal(collected.sent(own, "script_error").length, 3);
  assert.ok(!/secret|c2VjcmV0/.test(JSON.stringify(collected.sent(own))));
});

test("a page view tells how long its loading took, in whole milliseconds", async () => {
  const { told } = await on("/plain");
  const [view] = await told("page_loaded");
  for (const name of ["dns", "con", "ttfb", "dom", "load"]) assert.ok(Number.isInteger(view[name]) && view[name] >= 0, `${name} ${view[name]}`);
  assert.ok(view.load >= view.dom && view.dom >= view.ttfb);
});

test("web vitals are told on leaving: paints, layout shifts, the slowest interaction", async () => {
  const { page, own } = await on("/vitals");
  await page.waitForFunction(() => document.querySelector("#late")?.getAttribute("style"));
  await page.waitForTimeout(600);
  await page.click("#slow");
  await page.waitForTimeout(300);
  const end = await collected.left(page, own);
  assert.ok(end.fcp > 0 && end.lcp >= end.fcp, JSON.stringify(end));
  assert.ok(end.cls > 0 && end.cls < 1, String(end.cls));
  assert.ok(end.inp >= 150 && end.inp < 3000, String(end.inp));
});

test("a page on which nothing moved has a layout shift of nought, and without an interaction no slowness of one", async () => {
  const { page, own } = await on("/plain");
  await page.waitForTimeout(300);
  const { cls, inp } = await collected.left(page, own);
  assert.deepEqual([cls, inp], [0, undefined]);
});

test("vitals belong to the page that was loaded, and are not told again of a single-page site's next", async () => {
  const { page, own } = await on("/vitals");
  await page.waitForTimeout(600);
  await page.evaluate(() => history.pushState({}, "", "/vitals/next"));
  const end = await collected.left(page, "/vitals/next");
  assert.deepEqual([end.lcp, end.fcp, end.cls], [undefined, undefined, undefined]);
  assert.ok(collected.sent(own, "engagement")[0].lcp > 0);
});

test("what is not collected is not even asked for", async () => {
  await collected.clear();
  const few = await startCollected(PAGES, { options: "clicks" });
  try {
    const { page } = await few.visitor();
    await page.addInitScript(() => {
      const add = EventTarget.prototype.addEventListener;
      /** @type {any} */ (window).heard = [];
      EventTarget.prototype.addEventListener = /** @param {Parameters<typeof add>} given */ function (...given) {
        /** @type {any} */ (window).heard.push(given[0]);
        return add.apply(this, given);
      };
    });
    const own = await few.visit(page, "/vitals");
    await page.click("#slow");
    await eventually(async () => few.sent(own, "click")[0], "the click");
    await page.goto("about:blank");
    await page.waitForTimeout(500);
    assert.deepEqual(few.sent(own).map(({ n }) => n), ["page_loaded", "click"]);
    const [view] = few.sent(own, "page_loaded");
    assert.deepEqual(Object.keys(view).filter((key) => !["n", "u", "p", "i", "t", "nt", "r"].includes(key)), []);
    await few.visit(page, "/plain");
    const heard = await page.evaluate(() => /** @type {any} */ (window).heard);
    for (const type of ["scroll", "pointerover", "pointerout", "error", "unhandledrejection"]) assert.ok(!heard.includes(type), type);
  } finally {
    await few.clear();
    await few.stop();
  }
});
