// What a visitor chooses is what happens: in the browser, on the wire to the site, and in the database.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startSite, startThirdParty } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startThirdParty>>} */ let third;
/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

before(async () => {
  third = await startThirdParty();
  site = await startSite(third.origin);
  gateway = await startGateway(
    site.origin,
    `[[cookie]]\nname = "site_region"\npurpose = "preferences"\n[[cookie]]\nname = "_thirdparty"\npurpose = "analytics"\n` +
      `[[tag]]\nhost = "${third.host}"\npurpose = "analytics"\n`,
    { CONSENTRY__GATEWAY__TRUSTED_PROXIES: '["127.0.0.0/8"]' },
  );
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  site?.stop();
  third?.stop();
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  third.requests.length = 0;
  site.requests.length = 0;
});

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function visitor(options) {
  const context = await browser.newContext({ timezoneId: "Europe/London", locale: "en-GB", ...options });
  contexts.push(context);
  return { context, page: await context.newPage() };
}

/** @param {import("playwright-core").BrowserContext} context */
const jar = async (context) => (await context.cookies()).map((cookie) => cookie.name).sort();

/** @param {string} where */
const rows = (where) => gateway.query(`SELECT name, path, seq, status, time_zone, browser, consent_ref FROM events WHERE ${where} ORDER BY ts`);

/** @param {import("playwright-core").Page} page */
const choices = async (page) => (await page.request.get(`${gateway.address}/_privacy/consent`)).json();

test("a visitor who accepts is captured from the next page view on, and the page comes alive at once", async () => {
  const { context, page } = await visitor();
  await page.goto(`${gateway.address}/accept/one?email=jane@example.org`);
  assert.deepEqual(await jar(context), [], "nothing is stored before a choice");
  assert.equal(third.requests.length, 0, "the third party is silent before a choice");

  await page.getByRole("button", { name: "Accept all" }).click();
  await eventually(async () => third.requests.length === 1, "the tag runs after the grant");
  assert.equal(await page.getByRole("button", { name: "Accept all" }).count(), 0, "the banner is gone");
  assert.equal((await choices(page)).chosen, true);

  await page.goto(`${gateway.address}/accept/two?utm_source=letter&patient=9434765919`);
  const view = await eventually(async () => (await rows("path = '/accept/two' AND name = 'pageview'"))[0], "a row");
  assert.equal(view.status, 200);
  assert.equal(view.seq, 1);
  assert.match(view.browser, /Chrom/);
  assert.notEqual(view.consent_ref, "0");
  const loaded = await eventually(async () => (await rows("path = '/accept/two' AND name = 'page_loaded'"))[0], "the collector's row");
  assert.equal(loaded.time_zone, "Europe/London");
  assert.deepEqual(await rows("path = '/accept/one' AND name = 'pageview'"), [], "the page before the choice is no row");
  await page.goto(`${gateway.address}/accept/three`);
  await eventually(async () => (await rows("path = '/accept/two' AND name = 'engagement'"))[0], "the engagement's row");

  const cookies = await context.cookies();
  for (const name of ["consentry", "consentry_visitor", "consentry_visit"]) {
    assert.equal(cookies.find((cookie) => cookie.name === name)?.httpOnly, true, name);
  }
  assert.ok(site.requests.every(({ headers }) => !/consentry|undeclared/.test(headers.cookie ?? "")), "the site sees none of ours");
});

test("a visitor who rejects leaves no row, no cookie but the choice, and nothing in the queue", async () => {
  const { context, page } = await visitor();
  await page.goto(`${gateway.address}/reject/one`);
  await page.getByRole("button", { name: "Reject all" }).click();
  await eventually(async () => (await choices(page)).chosen, "the choice is stored");
  await page.goto(`${gateway.address}/reject/two`);
  await page.goto(`${gateway.address}/reject/three`);
  assert.deepEqual(await jar(context), ["consentry", "consentry_choice"]);
  assert.equal(third.requests.length, 0);
  assert.equal(await page.getByRole("button", { name: "Reject all" }).count(), 0, "the visitor is not asked again");

  // A later visitor's row is in the database; whatever came before it would be too.
  const other = await visitor();
  await other.page.goto(`${gateway.address}/reject/other`);
  await other.page.getByRole("button", { name: "Accept all" }).click();
  await eventually(async () => (await choices(other.page)).chosen, "the other's choice is stored");
  await other.page.goto(`${gateway.address}/reject/witness`);
  await eventually(async () => (await rows("path = '/reject/witness'"))[0], "the witness's row");
  assert.deepEqual(await rows("path IN ('/reject/one', '/reject/two', '/reject/three')"), []);
  assert.ok(!(await gateway.files()).includes("/reject/two"), "nor is it anywhere on disk");
});

test("without JavaScript a visitor accepts, is captured, and withdraws in one press", async () => {
  const { context, page } = await visitor({ javaScriptEnabled: false });
  await page.goto(`${gateway.address}/noscript/one`);
  await page.getByRole("button", { name: "Accept all" }).click();
  assert.equal(new URL(page.url()).pathname, "/noscript/one", "the visitor is back where they were");
  await page.goto(`${gateway.address}/noscript/two`);
  await eventually(async () => (await rows("path = '/noscript/two' AND name = 'pageview'"))[0], "a row");
  assert.ok((await jar(context)).includes("consentry_visitor"));
  assert.ok((await jar(context)).includes("site_region"), "a permitted cookie of the site's passes");

  await page.getByRole("link", { name: /privacy choices/i }).click();
  await page.getByRole("button", { name: /reject/i }).first().click();
  assert.deepEqual(await jar(context), ["consentry", "consentry_choice"], "rule C6: everything else is gone in the same response");
  await page.goto(`${gateway.address}/noscript/three`);
  assert.deepEqual(await jar(context), ["consentry", "consentry_choice"]);
  assert.deepEqual(await rows("path = '/noscript/three'"), []);
});

test("nothing that was sent can be found on disk: address, agent, query", async () => {
  const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.7777.77 Safari/537.36 Needle/4711";
  const { page } = await visitor({ userAgent: agent, extraHTTPHeaders: { "x-forwarded-for": "81.2.69.142" } });
  await page.goto(`${gateway.address}/disk/one`);
  await page.getByRole("button", { name: "Accept all" }).click();
  await eventually(async () => (await choices(page)).chosen, "the choice is stored");
  await page.goto(`${gateway.address}/disk/two?email=needle@example.org&q=haystackneedle&patient=943+476+5919#fragmentneedle`);
  await eventually(async () => (await rows("path = '/disk/two' AND name = 'page_loaded'"))[0], "a row");
  const disk = (await gateway.files()).toString("latin1");
  for (const secret of ["Needle/4711", "142.0.7777", "needle@example", "haystackneedle", "943+476", "9434765919", "fragmentneedle", "81.2.69.142"]) {
    assert.ok(!disk.includes(secret), `${secret} is on disk`);
  }
  for (const bytes of [[81, 2, 69, 142], [142, 69, 2, 81]]) {
    assert.ok(!disk.includes(String.fromCharCode(...bytes)), "the address is on disk in binary");
  }
  assert.ok(!/needle|81\.2\.69/i.test(gateway.log()), "nor is any of it in the log");
});

test("the banner moves nothing and can be reached and left by keyboard", async () => {
  const { page } = await visitor();
  await page.goto(`${gateway.address}/keyboard`);
  const shift = await page.evaluate(
    () =>
      new Promise((resolve) => {
        let sum = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += /** @type {any} */ (entry).value))).observe({
          type: "layout-shift",
          buffered: true,
        });
        setTimeout(() => resolve(sum), 500);
      }),
  );
  assert.equal(shift, 0);
  const sizes = await page.getByRole("button", { name: /(accept|reject) all/i }).evaluateAll((buttons) =>
    buttons.map((button) => {
      const { width, height } = button.getBoundingClientRect();
      const { fontSize, fontWeight, color, backgroundColor } = getComputedStyle(button);
      return JSON.stringify([Math.round(width), Math.round(height), fontSize, fontWeight, color, backgroundColor]);
    }),
  );
  assert.equal(sizes.length, 2);
  assert.equal(sizes[0], sizes[1], "rule C4: the two look the same");
  await page.keyboard.press("Escape");
  assert.equal((await choices(page)).chosen, false, "rule C4: Escape is no choice");
  await page.getByRole("button", { name: "Reject all" }).focus();
  await page.keyboard.press("Enter");
  await eventually(async () => (await choices(page)).chosen, "Enter chooses");
});
