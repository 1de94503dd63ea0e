// Rule C12: the consent manager a site has already is believed. Its own dialogue is pressed, as visitors press it, and the next
// page is what they said.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { MANAGERS, startManagedSite } from "./managers.mjs";
import { eventually, startBrowser, startGateway } from "./support.mjs";

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {(() => unknown)[]} */ const stops = [];

before(async () => {
  browser = await startBrowser();
});

after(() => browser?.close());

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/**
 * A visitor's first page on a site with `manager`, with our adapter for it.
 * @param {import("./managers.mjs").Manager} manager
 */
async function visitor(manager) {
  const site = await startManagedSite(manager);
  stops.push(site.stop);
  const gateway = await startGateway(
    site.origin,
    `[[cookie]]\nname = "${manager.cookie}"\npurpose = "necessary"\n[consent.import]\nmanager = "${manager.word}"\n${manager.configuration}`,
  );
  stops.push(gateway.stop);
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/London" });
  stops.push(() => context.close());
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(`${gateway.address}/one`);
  const cookie = async () => (await context.cookies()).find(({ name }) => name === manager.cookie)?.value;
  return {
    page,
    problems,
    cookie,
    /** @param {string} path */
    next: (path) => page.goto(`${gateway.address}${path}`),
    /**
     * Presses the manager's buttons and waits until it has written down what that means.
     * @param {string[]} buttons
     */
    async press(...buttons) {
      const earlier = await cookie();
      for (const button of buttons) await page.locator(button).click();
      await eventually(async () => (await cookie()) !== earlier, "the manager's cookie");
    },
    async reopen() {
      await page.locator("#settings").click();
    },
    /** What the gateway permits, and what of ours is on the page. */
    async state() {
      const answer = await page.request.get(`${gateway.address}/_privacy/consent`, { headers: { accept: "application/json" } });
      const { granted } = /** @type {{ granted: string[] }} */ (await answer.json());
      return {
        granted: granted.filter((purpose) => purpose !== "necessary"),
        collector: await page.locator("script[data-consentry-collector]").count(),
        banner: await page.locator("#consentry-banner").count(),
      };
    },
  };
}

const NOTHING = { granted: [], collector: 0, banner: 0 };

for (const manager of MANAGERS) {
  /** Everything that is mapped, as the manager's Accept all grants it. */
  const all = manager.word === "cookieconsent-v2" ? ["analytics"] : ["analytics", "marketing"];
  const everything = { granted: all, collector: 1, banner: 0 };

  test(`rule C12: ${manager.word}: before a choice nothing is permitted and nobody is asked twice`, async () => {
    const { page, problems, state, next, cookie } = await visitor(manager);
    await page.locator(manager.accept).waitFor();
    assert.deepEqual(await state(), NOTHING);
    await next("/two");
    await page.locator(manager.accept).waitFor();
    assert.deepEqual(await state(), NOTHING, "going on browsing is no choice");
    assert.equal(await cookie(), undefined);
    assert.deepEqual(problems, []);
  });

  test(`rule C12: ${manager.word}: Accept in its dialogue permits from the next page on, Reject later ends it`, async () => {
    const { state, next, press, reopen } = await visitor(manager);
    await press(manager.accept);
    await next("/two");
    assert.deepEqual(await state(), everything);
    await reopen();
    await press(...manager.rejectLater);
    await next("/three");
    assert.deepEqual(await state(), NOTHING);
  });

  test(`rule C12: ${manager.word}: Reject in its dialogue permits nothing, Accept later does`, async () => {
    const { state, next, press, reopen } = await visitor(manager);
    await press(manager.reject);
    await next("/two");
    assert.deepEqual(await state(), NOTHING);
    await reopen();
    await press(...manager.acceptLater);
    await next("/three");
    assert.deepEqual(await state(), everything);
  });
}
