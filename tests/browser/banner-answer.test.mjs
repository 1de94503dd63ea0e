// What a press of the banner's buttons does: with the gateway's answer, without it, and after the page has come back.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startSite } from "./support.mjs";

/** A third party's scripts that rest on one another; none is ever asked for, as the tests answer in its place. */
const TAGS = "https://tags.example";
const HEAD = `<script src="${TAGS}/slow.js"></script><script src="${TAGS}/fast.js"></script>
<script src="${TAGS}/async.js" async></script><script type="module" src="${TAGS}/module.js"></script>`;

/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

before(async () => {
  site = await startSite(undefined, { head: HEAD });
  gateway = await startGateway(site.origin, `[[tag]]\nhost = "tags.example"\npurpose = "analytics"\n`);
  browser = await startBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  site?.stop();
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

/** A page, and what it posted: as JSON by the script, or as a form by the browser. */
async function visitor(path = "/") {
  const context = await browser.newContext({ locale: "en-GB" });
  contexts.push(context);
  const page = await context.newPage();
  await page.route(`${TAGS}/*`, async (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    if (name === "slow.js") await new Promise((resolve) => setTimeout(resolve, 300));
    const body = `(window.ran ??= []).push("${name}")`;
    await route.fulfill({ contentType: "text/javascript", headers: { "access-control-allow-origin": "*" }, body });
  });
  /** @type {{ json: boolean, body: string }[]} */
  const posted = [];
  page.on("request", (request) => {
    if (request.method() === "POST") posted.push({ json: request.resourceType() === "fetch", body: request.postData() ?? "" });
  });
  await page.goto(`${gateway.address}${path}`);
  return { context, page, posted };
}

/** @param {import("playwright-core").Page} page */
const chosen = async (page) => (await (await page.request.get(`${gateway.address}/_privacy/consent`)).json()).chosen;

test("tags come alive in the page's order, and those that wait for nobody do not wait", async () => {
  const { page } = await visitor();
  assert.equal(await page.evaluate(() => "ran" in window), false);
  await page.getByRole("button", { name: "Accept all" }).click();
  const ran = await eventually(() => page.evaluate(() => /** @type {any} */ (window).ran?.length === 4 && /** @type {any} */ (window).ran), "all have run");
  assert.deepEqual(ran.filter((/** @type {string} */ name) => name !== "async.js"), ["slow.js", "fast.js", "module.js"]);
});

for (const [what, answer] of /** @type {[string, Parameters<import("playwright-core").Route["fulfill"]>[0] | null][]} */ ([
  ["the script cannot reach the gateway", null],
  ["the gateway cannot write the choice down", { status: 503, json: { error: "Not saved." } }],
  ["what is asked has changed since", { status: 409, json: { error: "Asked anew." } }],
])) {
  test(`the banner is sent as a plain form where ${what}`, async () => {
    const { page, posted } = await visitor("/plain?page=1");
    const failing = (/** @type {import("playwright-core").Route} */ route) =>
      route.request().resourceType() !== "fetch" ? route.continue() : answer ? route.fulfill(answer) : route.abort();
    await page.route("**/_privacy/consent", failing);
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.getByRole("button", { name: "Reject all" }).waitFor({ state: "detached" });
    assert.equal(new URL(page.url()).pathname, "/plain", "the visitor is back where they were");
    assert.equal(await chosen(page), true);
    assert.deepEqual(posted.map(({ json }) => json), [true, false]);
    const { form, ...fields } = Object.fromEntries(new URLSearchParams(posted[1].body));
    assert.equal(form, JSON.parse(posted[0].body).form, "the question is named either way");
    assert.deepEqual(fields, { source: "banner", choice: "reject", return: "/plain?page=1" });
  });
}

test("the answer names the question that this page asks", async () => {
  const { page, posted } = await visitor();
  await page.route("**/_privacy/consent", (route) => route.fulfill({ json: { chosen: true, granted: [], denied: ["analytics"] } }));
  await page.route(gateway.address + "/", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace(/(name="form" value=)"[^"]*"/, '$1"opaque-4711"') });
  });
  await page.reload();
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  assert.deepEqual(posted.map(({ body }) => JSON.parse(body)), [{ choice: "reject", source: "banner", form: "opaque-4711" }]);
});

test("who presses twice has answered once", async () => {
  const { page, posted } = await visitor();
  await page.getByRole("button", { name: "Accept all" }).dblclick();
  await page.getByText("Your choice is saved.").waitFor();
  assert.equal(posted.length, 1);
});

test("a page from the back/forward cache no longer asks what was answered on the next", async () => {
  const { page } = await visitor("/first");
  await page.evaluate(() => Object.assign(window, { kept: true }));
  await page.getByRole("link", { name: "second" }).click();
  await page.getByRole("heading", { name: "/second" }).waitFor();
  await page.getByRole("button", { name: "Accept all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  // It is not loaded, only shown again.
  await page.goBack({ waitUntil: "commit" });
  await page.getByRole("heading", { name: "/first" }).waitFor();
  assert.equal(await page.evaluate(() => "kept" in window), true, "it is the page that was left");
  await page.getByRole("button", { name: "Accept all" }).waitFor({ state: "detached" });
  await eventually(() => page.evaluate(() => "ran" in window), "and what was permitted has begun");
});

test("the focus goes from the button to the link that changes the choice, and what happened is said", async () => {
  const { page } = await visitor();
  await page.getByRole("button", { name: "Reject all" }).focus();
  await page.keyboard.press("Enter");
  const status = page.getByRole("status");
  await status.getByText("Your choice is saved.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.className), "consentry-link");
});

test("what visitors write on a site is not brought to life", async () => {
  const { page } = await visitor();
  await page.evaluate(() => {
    const written = `<img id="hers" data-consentry-purpose="analytics" data-consentry-src="/nope.png" data-consentry-onerror="window.stolen=1"
      data-consentry-onclick="window.stolen=1" data-consentry-style="position:fixed">
      <iframe id="his" data-consentry-purpose="analytics" data-consentry-src=" java\nscript:parent.stolen=1"></iframe>`;
    document.body.insertAdjacentHTML("beforeend", written);
  });
  await page.getByRole("button", { name: "Accept all" }).click();
  await eventually(() => page.locator("#hers").getAttribute("src"), "it has its address again");
  await page.locator("#hers").evaluate((image) => /** @type {HTMLElement} */ (image).click());
  await eventually(async () => !(await page.locator("#his").getAttribute("data-consentry-purpose")), "and so has the other");
  assert.deepEqual(await page.locator("#hers").evaluate((image) => image.getAttributeNames().filter((name) => /^(on|style)/.test(name))), []);
  assert.equal(await page.locator("#his").getAttribute("src"), null);
  assert.equal(await page.evaluate(() => "stolen" in window), false);
});

test("a twin that somebody else has written starts nothing while the gateway cannot be asked", async () => {
  const { context, page } = await visitor();
  await page.route("**/_privacy/consent", (route) => route.abort());
  await context.addCookies([{ name: "consentry_choice", value: "preferences!analytics!marketing", url: gateway.address }]);
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForTimeout(500);
  assert.equal(await page.locator("#consentry-banner").isVisible(), true, "it still asks");
  assert.equal(await page.evaluate(() => "ran" in window), false);
});
