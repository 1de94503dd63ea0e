// The page's own side of the choice: `window.consentry`, its event, other tabs, the site's own link, Google's mode.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startSite, startThirdParty } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startThirdParty>>} */ let third;
/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

const BODY = `<a data-consentry-choices id="own-link">Your choices</a><form action="/nowhere"><button data-consentry-choices id="own-button">Your choices</button></form>`;

before(async () => {
  third = await startThirdParty();
  site = await startSite(third.origin);
  gateway = await startGateway(
    site.origin,
    `[[cookie]]\nname = "site_region"\npurpose = "preferences"\n[[tag]]\nhost = "${third.host}"\npurpose = "analytics"\n`,
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
});

/** @typedef {{ chosen: boolean, granted: string[], denied: string[] }} State */
/** @typedef {{ get: () => State, set: (choice: any) => Promise<State>, on: (name: string, heard: (state: State) => void) => () => void }} Api */

/** A page that counts what it is told, and every request of it for the choice. */
async function visitor(path = "/") {
  const context = await browser.newContext({ locale: "en-GB" });
  contexts.push(context);
  return { context, ...(await tab(context, path)) };
}

/** @param {import("playwright-core").BrowserContext} context */
async function tab(context, path = "/") {
  const page = await context.newPage();
  /** @type {import("playwright-core").Request[]} */
  const asked = [];
  page.on("request", (request) => request.url().endsWith("/consent") && asked.push(request));
  await page.addInitScript(() => {
    const heard = /** @type {State[]} */ ([]);
    Object.assign(window, { heard });
    document.addEventListener("consentry:change", (event) => heard.push(/** @type {CustomEvent} */ (event).detail));
  });
  await page.goto(`${gateway.address}${path}`);
  return { page, asked };
}

/** @param {import("playwright-core").Page} page */
const get = (page) => page.evaluate(() => /** @type {{ consentry: Api }} */ (/** @type {unknown} */ (window)).consentry.get());

/** @param {import("playwright-core").Page} page @param {unknown} choice the new state, or why there is none */
const set = (page, choice) =>
  page.evaluate(
    (choice) =>
      /** @type {{ consentry: Api }} */ (/** @type {unknown} */ (window)).consentry.set(choice).then(
        (state) => ({ state, error: "" }),
        (error) => ({ state: null, error: error instanceof Error ? error.message : "no Error" }),
      ),
    choice,
  );

/** @param {import("playwright-core").Page} page what the event told */
const heard = (page) => page.evaluate(() => /** @type {{ heard: State[] }} */ (/** @type {unknown} */ (window)).heard);

/** @param {import("playwright-core").Page} page whether its script is still the one that was asked */
const marked = (page) => page.evaluate(() => "mark" in window).catch(() => true);

/** @param {import("playwright-core").Page} page */
const mark = (page) => page.evaluate(() => void Object.assign(window, { mark: true }));

test("a page asks what is chosen and is answered at once, without a request", async () => {
  const { page, asked } = await visitor();
  assert.deepEqual(await get(page), { chosen: false, granted: [], denied: [] });
  assert.equal(asked.length, 0);
});

test("rule_c2_before_a_choice_the_script_reads_nothing_but_the_document_and_one_cookie", async () => {
  const context = await browser.newContext();
  contexts.push(context);
  const page = await context.newPage();
  await page.addInitScript(() => {
    const read = /** @type {string[]} */ ([]);
    Object.assign(window, { read });
    /** @param {any} object @param {string} name */
    const watch = (object, name) => {
      const found = Object.getOwnPropertyDescriptor(object, name);
      if (!found?.configurable) return;
      const note = () => read.push(name);
      const { get, value } = found;
      if (get) Object.defineProperty(object, name, { ...found, get() { note(); return get.call(this); } });
      else if (typeof value === "function") object[name] = function (/** @type {any} */ ...given) { note(); return new.target ? new value(...given) : value.apply(this, given); };
    };
    for (const name of Object.getOwnPropertyNames(Navigator.prototype)) watch(Navigator.prototype, name);
    for (const name of ["screen", "innerWidth", "innerHeight", "outerWidth", "outerHeight", "devicePixelRatio", "matchMedia", "localStorage",
      "sessionStorage", "indexedDB", "caches", "visualViewport", "screenX", "screenY", "history", "fetch", "Image", "BroadcastChannel"]) watch(window, name);
    watch(Intl, "DateTimeFormat");
    for (const name of ["getTimezoneOffset", "toLocaleString", "toString"]) watch(Date.prototype, name);
    for (const name of ["referrer", "lastModified"]) watch(Document.prototype, name);
    for (const name of ["toDataURL", "getContext"]) watch(HTMLCanvasElement.prototype, name);
  });
  await page.goto(gateway.address);
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).read), []);
  await page.evaluate(() => navigator.language);
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).read), ["language"], "the watch watches");
});

test("a page chooses for its visitor, is promised the new state, and hears of it once", async () => {
  const { page, asked } = await visitor();
  await page.evaluate(() => {
    const told = /** @type {State[]} */ ([]);
    const { on } = /** @type {{ consentry: Api }} */ (/** @type {unknown} */ (window)).consentry;
    Object.assign(window, { told, end: on("change", (state) => told.push(state)) });
  });
  const { state } = await set(page, { granted: ["preferences"] });
  assert.equal(state?.chosen, true);
  assert.ok(state.granted.includes("preferences") && !state.granted.includes("analytics") && state.denied.includes("analytics"));
  const [{ form, ...told }] = asked.map((request) => request.postDataJSON());
  assert.deepEqual([asked.length, told], [1, { granted: ["preferences"], source: "api" }]);
  assert.equal(typeof form, "string", "the question that the page asks is named");
  assert.deepEqual(await get(page), state, "the same, at once");
  assert.deepEqual(await heard(page), [state]);
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).told), [state]);
  assert.equal(await page.locator("#consentry-banner").count(), 0, "who has chosen is not asked");

  await page.evaluate(() => /** @type {any} */ (window).end());
  await set(page, "accept");
  assert.equal((await heard(page)).length, 2);
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).told.length), 1, "who no longer listens hears nothing");
  await eventually(() => page.evaluate(() => "tagRan" in window), "what is permitted comes alive");
});

test("a page that comes after the choice knows it without a request", async () => {
  const { page, context } = await visitor();
  await set(page, { granted: ["preferences"] });
  const other = await tab(context, "/other");
  const { chosen, granted } = await get(other.page);
  assert.deepEqual([chosen, granted.filter((id) => id !== "necessary")], [true, ["preferences"]]);
  assert.equal(other.asked.length, 0);
  await set(page, "reject");
  const third = await tab(context, "/third");
  const refused = await get(third.page);
  assert.deepEqual([refused.chosen, refused.granted], [true, []], "a refusal is a choice");
  assert.equal(third.asked.length, 0);
});

test("what the gateway refuses changes nothing, and the reason is told", async () => {
  const { page } = await visitor();
  for (const wrong of [{ granted: ["nonsense"] }, "perhaps", null, {}]) {
    const { state, error } = await set(page, wrong);
    assert.equal(state, null);
    assert.match(error, /purpose|choice|JSON/, `${JSON.stringify(wrong)}: ${error}`);
  }
  for (const answer of [{ status: 503, json: { error: "The choice could not be written down." } }, { status: 409, json: { error: "The question has changed." } }, { status: 502, body: "no JSON" }]) {
    await page.route("**/_privacy/consent", (route) => route.fulfill(answer), { times: 1 });
    const { error } = await set(page, "accept");
    assert.equal(error, answer.json?.error ?? "consentry: the gateway answered 502");
  }
  await page.route("**/_privacy/consent", (route) => route.abort(), { times: 1 });
  assert.notEqual((await set(page, "accept")).error, "no Error");
  assert.equal((await get(page)).chosen, false);
  assert.deepEqual(await heard(page), []);
  assert.equal(await page.locator("#consentry-banner").count(), 1);
  assert.equal(third.requests.length, 0);
});

test("a choice made in one tab is known in the others", async () => {
  const { page, context } = await visitor("/one");
  const other = await tab(context, "/two");
  await page.bringToFront();
  await page.getByRole("button", { name: "Accept all" }).click();
  await eventually(async () => (await heard(other.page)).length, "the other tab hears");
  assert.equal(await other.page.locator("#consentry-banner").count(), 0);
  await eventually(() => other.page.evaluate(() => "tagRan" in window), "and what is permitted runs there too");
  assert.equal((await heard(other.page)).length, 1);
  assert.equal(other.asked.length, 1, "one request, and only because something changed");
});

test("rule_c6_what_is_withdrawn_stops_in_every_tab", async () => {
  const { page, context } = await visitor("/withdraw/one");
  await set(page, "accept");
  await page.goto(`${gateway.address}/withdraw/two`);
  const other = await tab(context, "/withdraw/three");
  for (const one of [page, other.page]) {
    await one.waitForFunction(() => "tagRan" in window);
    await mark(one);
  }
  const told = third.requests.length;
  const { state } = await set(page, "reject");
  assert.equal(state?.granted.includes("analytics"), false, "the promise is kept before the page goes");
  for (const one of [page, other.page]) {
    await eventually(async () => !(await marked(one)), "the page comes anew");
    await one.waitForLoadState();
    assert.equal(await one.evaluate(() => "tagRan" in window), false);
    assert.equal(await one.locator("[data-consentry-collector]").count(), 0);
  }
  assert.equal(third.requests.length, told);
});

test("granting more stays on the page", async () => {
  const { page } = await visitor("/more");
  await set(page, { granted: ["preferences"] });
  await mark(page);
  await set(page, "accept");
  await eventually(() => page.evaluate(() => "tagRan" in window), "the tag runs");
  assert.equal(await marked(page), true);
});

test("Google's tags are told only where the gateway names their types", async () => {
  const { page } = await visitor();
  await set(page, { granted: ["preferences"] });
  assert.equal(await page.evaluate(() => "dataLayer" in window), false);
  const google = { ad_storage: "denied", analytics_storage: "granted" };
  await page.route("**/_privacy/consent", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), google } });
  });
  await set(page, "accept");
  const layer = await page.evaluate(() => /** @type {any} */ (window).dataLayer.map((/** @type {any} */ call) => [Object.prototype.toString.call(call), ...call]));
  assert.deepEqual(layer, [["[object Arguments]", "consent", "update", google]]);
});

test("rule_k8_google_hears_the_default_before_any_tag", async () => {
  const { page } = await visitor();
  await page.route("**/with-google*", (route) => {
    const attributes = new URL(route.request().url()).searchParams.get("attributes");
    return route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><html><head><script src="/_privacy/consent-mode.js" ${attributes}></script><script>window.first = [...dataLayer[0]]</script></head></html>`,
    });
  });
  const denied = Object.fromEntries(
    ["ad_storage", "ad_user_data", "ad_personalization", "analytics_storage", "functionality_storage", "personalization_storage"].map((type) => [type, "denied"]),
  );
  for (const [attributes, expected] of /** @type {[string, object][]} */ ([
    ["data-ask", { ...denied, security_storage: "granted", wait_for_update: 500 }],
    ['data-granted="analytics_storage functionality_storage"', { ...denied, analytics_storage: "granted", functionality_storage: "granted", security_storage: "granted" }],
    ['data-granted=""', { ...denied, security_storage: "granted" }],
  ])) {
    await page.goto(`${gateway.address}/with-google?attributes=${encodeURIComponent(attributes)}`);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).first), ["consent", "default", expected]);
    assert.deepEqual(await page.evaluate(() => ["gtag", "granted", "types"].filter((name) => name in window)), [], "and no global but its own");
  }
});

test("rule_k8_what_is_granted_reaches_google_before_any_tag_and_at_each_change", async () => {
  const own = await startSite(undefined, { head: `<script>window.first = [...dataLayer[0]]</script>` });
  const theirs = await startGateway(own.origin, `[consent]\ngoogle_consent_mode = true\n`);
  try {
    const context = await browser.newContext({ locale: "en-GB" });
    contexts.push(context);
    const page = await context.newPage();
    const first = () => page.evaluate(() => /** @type {any} */ (window).first);
    await page.goto(theirs.address);
    const [, , asked] = await first();
    assert.deepEqual([asked.analytics_storage, asked.ad_storage, asked.security_storage, asked.wait_for_update], ["denied", "denied", "granted", 500]);
    await page.getByRole("button", { name: "Accept all" }).click();
    await page.getByText("Your choice is saved.").waitFor();
    const [command, kind, update] = await page.evaluate(() => [.../** @type {any} */ (window).dataLayer[1]]);
    assert.deepEqual([command, kind, update.analytics_storage], ["consent", "update", "granted"]);
    await page.goto(`${theirs.address}/next`);
    const [, , chosen] = await first();
    assert.deepEqual([chosen.analytics_storage, "wait_for_update" in chosen], ["granted", false]);
  } finally {
    await theirs.stop();
    own.stop();
  }
});

test("rule_c5_a_site_places_a_link_of_its_own", async () => {
  const own = await startSite(undefined, { body: BODY });
  const theirs = await startGateway(own.origin);
  try {
    const context = await browser.newContext({ locale: "en-GB" });
    contexts.push(context);
    const page = await context.newPage();
    await page.goto(`${theirs.address}/`);
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.getByText("Your choice is saved.").waitFor();
    for (const way of ["#own-link", "#own-button"]) {
      await page.goto(`${theirs.address}/`);
      assert.equal(await page.locator("#consentry-corner").isVisible(), false, "one link is enough");
      await page.locator(way).click();
      await page.getByRole("heading", { name: "Privacy choices", level: 1 }).waitFor();
    }
  } finally {
    await theirs.stop();
    own.stop();
  }
});
