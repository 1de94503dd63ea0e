// Pages that came otherwise than by a plain visit: as the answer to a form, or made ready before they were wanted.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startSite, startThirdParty } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startThirdParty>>} */ let third;
/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

const ORDER = `<form id="order" action="/order" method="post"><input name="item" value="tea"><button id="buy">Buy</button></form>`;

before(async () => {
  third = await startThirdParty();
  site = await startSite(third.origin, { body: (url) => ORDER + (url.startsWith("/ahead") ? ahead(url.endsWith("prerender") ? "prerender" : "prefetch") : "") });
  gateway = await startGateway(site.origin, `[[tag]]\nhost = "${third.host}"\npurpose = "analytics"\n`);
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
  site.requests.length = third.requests.length = 0;
});

async function visitor(path = "/") {
  const context = await browser.newContext({ locale: "en-GB" });
  contexts.push(context);
  const page = await context.newPage();
  await page.goto(`${gateway.address}${path}`);
  return { context, page };
}

/** @param {import("playwright-core").Page} page @param {string} name */
async function answer(page, name) {
  await page.getByRole("button", { name }).click();
  await page.locator("#consentry-banner").waitFor({ state: "detached" });
}

/** @param {import("playwright-core").Page} page */
async function buys(page) {
  await page.locator("#buy").click();
  await page.waitForURL("**/order");
  await page.waitForFunction(() => "consentry" in window);
}

/** Of the orders, how they came to the site. */
const orders = () => site.requests.filter(({ url }) => url.startsWith("/order")).map(({ method }) => method);

/** @param {import("playwright-core").Page} page whether a tag of the third party's runs in it */
const runs = (page) => page.evaluate(() => "tagRan" in window).catch(() => true);

test("rule_c6_a_withdrawal_sends_no_form_a_second_time", async () => {
  for (const fragment of ["", "#total"]) {
    const { page } = await visitor();
    await answer(page, "Accept all");
    await buys(page);
    await page.evaluate((fragment) => void (location.hash = fragment), fragment);
    assert.equal(await runs(page), true);
    await page.evaluate(() => void (/** @type {any} */ (window).consentry.set("reject")));
    await eventually(async () => !(await runs(page)), "the page has come anew without its tag");
    assert.deepEqual(orders(), ["POST", "GET"]);
    site.requests.length = 0;
  }
});

test("rule_c6_a_withdrawal_in_another_tab_sends_no_form_a_second_time", async () => {
  const { context, page } = await visitor();
  await answer(page, "Accept all");
  await buys(page);
  const other = await context.newPage();
  await other.goto(`${gateway.address}/_privacy/`);
  await other.getByRole("button", { name: "Withdraw all consent" }).click();
  await other.getByRole("heading", { name: "Your choices are saved" }).waitFor();
  await page.bringToFront();
  await eventually(async () => !(await runs(page)), "the page has come anew without its tag");
  assert.deepEqual(orders(), ["POST", "GET"]);
});

test("an answer to the banner sends no form a second time", async () => {
  for (const name of ["Accept all", "Reject all"]) {
    const { page } = await visitor();
    await buys(page);
    await answer(page, name);
    await page.waitForTimeout(300);
    assert.deepEqual(orders(), ["POST"], name);
    site.requests.length = 0;
  }
});

/** @param {"prefetch" | "prerender"} how what the page says of the one it leads to */
const ahead = (how) => `<a id="next" href="/ready">next</a><script type="speculationrules">${JSON.stringify({ [how]: [{ source: "list", urls: ["/ready"], eagerness: "immediate" }] })}</script>`;

/** @param {string} path */
const asked = (path) => site.requests.filter(({ url }) => url === path).length;

for (const how of /** @type {const} */ (["prefetch", "prerender"])) {
  for (const [first, then] of /** @type {const} */ ([["", "Accept all"], ["", "Reject all"], ["accept", "reject"], ["reject", "accept"]])) {
    test(`a page that was made ready (${how}) before ${then} has the choice when it is wanted`, async () => {
      const { page } = await visitor(`/ahead?${how}`);
      if (first) {
        await page.evaluate((first) => /** @type {any} */ (window).consentry.set(first), first);
        await page.goto(`${gateway.address}/ahead?${how}`);
      }
      await eventually(async () => asked("/ready"), "it is made ready");
      await page.waitForTimeout(300);
      if (first) await page.evaluate((then) => void /** @type {any} */ (window).consentry.set(then), then);
      else await answer(page, then);
      await page.waitForTimeout(500);
      await page.locator("#next").click();
      await page.waitForURL("**/ready");
      const granted = /accept/i.test(then);
      await eventually(() => page.evaluate((granted) => "tagRan" in window === granted, granted).catch(() => false), "its tags are as they were chosen");
      await page.getByRole("link", { name: "Your privacy choices" }).waitFor();
      assert.equal(await page.locator("#consentry-banner").count(), 0);
      await eventually(() => page.evaluate((granted) => Boolean(document.querySelector("[data-consentry-collector]")) === granted, granted), "and so are its page views");
    });
  }
}

test("a page that was made with the choice that counts asks for nothing", async () => {
  const { page } = await visitor();
  for (const choice of ["reject", "accept"]) {
    await page.evaluate((choice) => /** @type {any} */ (window).consentry.set(choice), choice);
    await page.waitForTimeout(300);
    /** @type {string[]} */ const told = [];
    page.on("request", (request) => told.push(new URL(request.url()).pathname));
    await page.goto(`${gateway.address}/second`);
    await page.waitForTimeout(300);
    assert.equal(told.includes("/_privacy/consent"), false, choice);
  }
});

test("a page is not changed by a twin that nothing stands behind", async () => {
  const { page, context } = await visitor();
  await context.addCookies([{ name: "consentry_choice", value: "analytics", url: gateway.address }]);
  await page.goto(`${gateway.address}/`);
  await page.waitForTimeout(500);
  assert.equal(await page.locator("#consentry-banner").isVisible(), true);
  assert.equal(await runs(page), false);
});
