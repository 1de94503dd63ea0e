// An examiner's walk through the whole demo: without a choice nothing is on the device, after a refusal only the choice, and no other
// party ever hears of the visit. The same walk after an acceptance finds what there is to find.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, startBrowser, startDemo } from "./support.mjs";

/** The choice and its twin for scripts. */
const OURS = ["consentry", "consentry_choice"];

/** @type {Awaited<ReturnType<typeof startDemo>>} */ let demo;
/** @type {import("playwright-core").Browser} */ let browser;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** What pages may keep on a device besides cookies. @param {import("playwright-core").Page} page */
const kept = (page) =>
  page.evaluate(async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));

const NOTHING = { local: [], session: [], databases: [], caches: [], workers: 0 };

/**
 * Walks over every page that links lead to, reads each to its end, and looks at the device after each.
 * @param {string | null} answer the button that is pressed first
 */
async function crawl(answer) {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/London" });
  const page = await context.newPage();
  /** @type {string[]} */
  const elsewhere = [];
  page.on("request", (request) => new URL(request.url()).origin !== demo.address && elsewhere.push(request.url()));
  if (answer) {
    await page.goto(demo.address);
    await page.getByRole("button", { name: answer }).click();
    await page.getByText("Your choice is saved.").waitFor();
  }
  /** @type {Set<string>} */
  const cookies = new Set();
  const [seen, waiting] = [new Set(["/"]), ["/"]];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const response = await page.goto(`${demo.address}${path}`, { waitUntil: "networkidle" });
    assert.ok(response && response.status() < 400, path);
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    for (const { name } of await context.cookies()) cookies.add(name);
    assert.deepEqual(await kept(page), NOTHING, path);
    const links = await page.locator("a[href]").evaluateAll((found) => found.map((a) => /** @type {HTMLAnchorElement} */ (a).href));
    for (const link of links.map((href) => new URL(href))) {
      const fresh = link.origin === demo.address && !seen.has(link.pathname) && !/\.\w+$/.test(link.pathname);
      if (fresh) seen.add(link.pathname), waiting.push(link.pathname);
    }
  }
  return { context, pages: seen.size, cookies: [...cookies].sort(), elsewhere };
}

test("without a choice nothing is on the device after a walk through the site, and no other party was told", async () => {
  const { context, pages, cookies, elsewhere } = await crawl(null);
  assert.ok(pages > 5, `${pages} pages`);
  assert.deepEqual(cookies, []);
  assert.deepEqual(elsewhere, []);
  await context.close();
});

test("after a refusal the choice is all that is on the device, and no other party was told", async () => {
  const { context, pages, cookies, elsewhere } = await crawl("Reject all");
  assert.ok(pages > 5, `${pages} pages`);
  assert.ok(cookies.includes("consentry") && cookies.every((name) => OURS.includes(name)), cookies.join());
  assert.deepEqual(elsewhere, []);
  await context.close();
});

test("after an acceptance the same walk finds the site's cookies and the other party", async () => {
  const { context, elsewhere } = await crawl("Accept all");
  await eventually(async () => (await context.cookies()).some(({ name }) => name === "_thirdparty"), "the third party's cookie");
  assert.ok(elsewhere.length > 0);
  await context.close();
});
