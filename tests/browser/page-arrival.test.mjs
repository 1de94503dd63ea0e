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
  site = await startSite(third.origin, { body: ORDER });
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
