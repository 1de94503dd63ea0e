// Programs that refuse on the visitor's behalf find the banner and press Reject: DuckDuckGo's autoconsent, as it is, on the demo.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { eventually, startBrowser, startDemo, startGateway, startSite } from "./support.mjs";

/** With all its rules and its heuristics, as one script. */
const AUTOCONSENT = path.join(path.dirname(createRequire(import.meta.url).resolve("@duckduckgo/autoconsent")), "autoconsent.standalone.js");

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

for (const scripted of [true, false]) {
  test(`DuckDuckGo's autoconsent finds the banner and refuses, ${scripted ? "with our script" : "without it"}`, async () => {
    const context = await browser.newContext({ locale: "en-GB" });
    const page = await context.newPage();
    if (!scripted) await page.route("**/_privacy/banner.js", (route) => route.abort());
    // Without our script the press is a page's turn, and what was told goes with the page.
    /** @type {{ type: string, cmp?: string, result?: boolean }[]} */
    const told = [];
    page.on("console", (message) => {
      const [, type, cmp] = /autoconsent (detected CMP|found popup|opt-out result|done): (\S+)/.exec(message.text()) ?? [];
      if (type) told.push({ type, cmp });
    });
    await page.addInitScript({ path: AUTOCONSENT });
    await page.goto(demo.address);
    const choice = await eventually(async () => {
      const state = await (await context.request.get(`${demo.address}/_privacy/consent`)).json();
      return state.chosen && state;
    }, "a choice is stored");
    assert.deepEqual(choice.granted, ["necessary"]);
    assert.ok(choice.denied.length > 1, JSON.stringify(choice));
    assert.ok(told.some(({ type, cmp }) => type === "found popup" && cmp === "HEURISTIC-REJECT"), JSON.stringify(told));
    await page.locator("#consentry-banner").waitFor({ state: "detached" });
    await context.close();
  });
}

test("it does so in other languages in which it knows our words", async () => {
  const site = await startSite(undefined, { lang: (url) => url.slice(1) });
  const gateway = await startGateway(site.origin);
  try {
    for (const language of ["de", "fr", "es", "nl"]) {
      const context = await browser.newContext({ locale: language });
      const page = await context.newPage();
      await page.addInitScript({ path: AUTOCONSENT });
      await page.goto(`${gateway.address}/${language}`);
      const state = async () => (await context.request.get(`${gateway.address}/_privacy/consent`)).json();
      await eventually(async () => (await state()).chosen, `a choice is stored, in ${language}`);
      assert.deepEqual((await state()).granted, ["necessary"], language);
      await context.close();
    }
  } finally {
    await gateway.stop();
    site.stop();
  }
});
