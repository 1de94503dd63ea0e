// axe-core finds nothing to complain of in what a visitor meets: banner, link, preferences page, receipt, notice, the visitor's data; in every language, with the
// script and without, in light and dark, on a desk and on the narrowest screen.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { startBrowser, startGateway, startSite } from "./support.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const LANGUAGES = ["en-GB", "cy", "de", "fr", "es", "it", "nl", "pl", "pt", "sv"];
const DESK = { width: 1280, height: 800 };
const NARROW = { width: 320, height: 640 };

/** @type {import("playwright-core").BrowserContextOptions[]} */
const LOOKS = [
  { viewport: DESK, colorScheme: "light" },
  { viewport: DESK, colorScheme: "dark" },
  { viewport: NARROW, colorScheme: "light" },
  { viewport: NARROW, colorScheme: "dark" },
];

/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;

before(async () => {
  site = await startSite(undefined, { lang: (url) => url.slice(1) });
  gateway = await startGateway(site.origin);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  site?.stop();
});

/**
 * What axe-core finds.
 * @param {import("playwright-core").Page} page
 * @param {string} [part] of the page; all of it
 * @returns {Promise<string[]>}
 */
async function found(page, part) {
  await page.evaluate(AXE);
  return page.evaluate(
    async ({ part, rules }) => {
      const { axe } = /** @type {any} */ (window);
      const { violations, passes } = await axe.run(part ?? document, { runOnly: rules });
      if (!passes.length) return ["nothing was looked at"];
      return violations.flatMap((/** @type {any} */ { id, nodes }) => nodes.map((/** @type {any} */ node) => `${id}: ${node.failureSummary} ${node.html}`));
    },
    { part, rules: RULES },
  );
}

for (const language of LANGUAGES) {
  for (const scripted of [true, false]) {
    test(`axe-core finds nothing in ${language}, ${scripted ? "with the script" : "without it"}`, async () => {
      for (const look of LOOKS) {
        const context = await browser.newContext({ locale: language, ...look });
        const page = await context.newPage();
        const browserSide = await context.newCDPSession(page);
        /**
         * Does something with the page's scripts or without them. Those that were passed over do not run later, so axe-core, itself a
         * script, sees the page as it came.
         * @template T
         * @param {() => Promise<T>} act
         */
        const visit = async (act) => {
          await browserSide.send("Emulation.setScriptExecutionDisabled", { value: !scripted });
          const done = await act();
          await page.waitForLoadState();
          await browserSide.send("Emulation.setScriptExecutionDisabled", { value: false });
          return done;
        };
        const where = (/** @type {string} */ what) => `${what}, ${JSON.stringify(look)}`;
        await visit(() => page.goto(`${gateway.address}/${language}`));
        assert.equal(await page.evaluate(() => "consentry" in window), scripted);
        assert.equal(await page.locator("#consentry-banner").getAttribute("lang"), language);
        assert.deepEqual(await found(page, "#consentry-banner"), [], where("banner"));

        await visit(async () => {
          await page.locator("button[value=reject]").click();
          await page.locator("#consentry-banner").waitFor({ state: "detached" });
        });
        assert.deepEqual(await found(page, "#consentry-corner"), [], where("link"));

        for (const path of ["/_privacy/", "/_privacy/?saved=1", "/_privacy/receipt", "/_privacy/notice", "/_privacy/data"]) {
          const answer = await visit(() => page.goto(`${gateway.address}${path}`));
          assert.equal(answer?.status(), 200, path);
          assert.deepEqual(await found(page), [], where(path));
        }
        await context.close();
      }
    });
  }
}
