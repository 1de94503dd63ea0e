// Whatever style a site has, the banner looks the same to the pixel: visible, in its place, both answers alike.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startGateway, startSite } from "./support.mjs";

/** Sites' rules at their worst; the sheet alone holds against them, without a script. @type {Record<string, string>} */
const RULES = {
  "everything unset": `* { all: unset !important; }`,
  "everything in the page's body hidden": `body * { display: none !important; visibility: hidden !important; opacity: 0 !important; }`,
  "letters of 40 px, far apart": `* { font: italic 40px/3 serif !important; letter-spacing: 1em !important; text-transform: uppercase !important; text-indent: 5em !important; }`,
  "sections that stand in the flow and lie elsewhere": `section, nav { position: static !important; transform: translateX(-200vw) scale(.1) !important; clip-path: inset(50%) !important; width: 1px !important; height: 1px !important; float: right !important; }`,
  "our own names, heavily": `#consentry-banner#consentry-banner#consentry-banner, #consentry-banner#consentry-banner#consentry-banner * { display: none !important; inset: auto !important; margin: 9em !important; }`,
  "white on white": `a, p, h2, button, section, form { color: white !important; background: white !important; -webkit-text-fill-color: white !important; border-color: white !important; }`,
  "fields and buttons that cannot be seen or pressed": `input, button { opacity: 0 !important; pointer-events: none !important; width: 0 !important; height: 0 !important; padding: 0 !important; }`,
  "one answer made better than the other": `button[value=accept] { font-size: 3em !important; background: green !important; order: -1 !important; } button[value=reject] { display: none !important; color: grey !important; }`,
  "pseudo-elements and first letters": `section::before, section *::before, section::after, section *::after { content: "X" !important; position: fixed !important; inset: 0 !important; background: red !important; } *::first-letter { font-size: 90px !important; color: red !important; } *::first-line { font-size: 4px !important; } ::backdrop { background: black !important; pointer-events: auto !important; }`,
  "everything moves": `@keyframes gone { from, to { opacity: 0; color: red; transform: scale(0); } } body * { animation: gone 1s infinite !important; transition: all 9s !important; }`,
  "what is inherited": `html, body { color: red; font-size: 5px !important; letter-spacing: 1em; text-transform: uppercase; direction: rtl; word-break: break-all; visibility: hidden; pointer-events: none; user-select: none; text-align: right; word-spacing: 3em; line-height: 9; text-shadow: 0 0 9px red; }`,
  "lines that run from top to bottom": `html, body { writing-mode: vertical-rl; }`,
  "a layer's rules": `@layer theme { * { all: unset !important; } section { display: none !important; } }`,
};

/**
 * What only a shadow root or the top layer escapes, and so only a script; of layers' important rules the first wins, and
 * where the site's is the first, the sheet alone is too late.
 * @type {Record<string, string>}
 */
const SCRIPTED = {
  "a body that is scaled": `body { transform: scale(.5) translateY(40px); }`,
  "a body that is turned to negative": `body { filter: invert(1) blur(3px); }`,
  "a body that cannot be seen": `body { opacity: 0; height: 0; overflow: hidden; contain: paint; }`,
  "a whole document that is turned over": `html { transform: rotate(180deg); perspective: 1px; }`,
  "something else over all": `body::after { content: ""; position: fixed; inset: 0; z-index: 2147483647; background: white; }`,
};

const ALL = { ...RULES, ...SCRIPTED };

/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
before(async () => {
  site = await startSite(undefined, {
    head: (url) => `<style>${Object.values(ALL)[Number(url.slice(1))] ?? ""}</style>${url === "/attributes" ? ATTRIBUTES : ""}`,
  });
  gateway = await startGateway(site.origin);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await gateway?.stop();
  site?.stop();
});

/**
 * The banner on a page with such rules: its pixels, and both answers.
 * @param {string} what of `ALL`, or nothing
 * @param {import("playwright-core").BrowserContextOptions} options
 */
async function look(what, options) {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1100, height: 700 }, ...options });
  const page = await context.newPage();
  await page.goto(`${gateway.address}/${what && Object.keys(ALL).indexOf(what)}`);
  const clip = await page.locator("#consentry-banner").evaluate((banner) => {
    const { x, y, width, height } = banner.getBoundingClientRect();
    return { x, y, width, height };
  });
  const answers = await page.locator(".consentry-button").evaluateAll((buttons) =>
    buttons.map((button) => {
      const { x, y, width, height } = button.getBoundingClientRect();
      const { color, backgroundColor, fontSize, fontWeight, opacity, visibility, cursor } = getComputedStyle(button);
      const hit = document.elementFromPoint(x + width / 2, y + height / 2) === button;
      return { y, hit, looks: { width, height, color, backgroundColor, fontSize, fontWeight, opacity, visibility, cursor } };
    }),
  );
  const pixels = await page.locator("#consentry-banner").screenshot({ animations: "disabled" });
  await context.close();
  return { clip, answers, pixels };
}

/** How much two colours differ, as WCAG 2.2 reckons it. @param {string} one @param {string} other */
function contrast(one, other) {
  const [lighter, darker] = [one, other].map(luminance).sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

/** @param {string} colour as `rgb(…)` */
function luminance(colour) {
  const parts = (colour.match(/\d+/g) ?? []).map((part) => Number(part) / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** A site's script that would hide what is ours. */
const ATTRIBUTES = `<script>addEventListener("load", () => document.querySelectorAll("body > *, .consentry, .consentry *").forEach((e) => {
  e.style.cssText = "display: none !important; opacity: 0 !important";
}))</script>`;

/** @type {Map<string, Awaited<ReturnType<typeof look>>>} */
const plain = new Map();

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with a script" : "without a script";
  for (const what of Object.keys(javaScriptEnabled ? ALL : RULES)) {
    test(`rule_c4_the_banner_is_the_same_on_a_site_with: ${what} (${how})`, async () => {
      const options = { javaScriptEnabled };
      if (!plain.has(how)) plain.set(how, await look("", options));
      const expected = /** @type {Awaited<ReturnType<typeof look>>} */ (plain.get(how));
      const { clip, answers, pixels } = await look(what, options);
      assert.deepEqual(clip, expected.clip, "its place and size");
      assert.ok(clip.height > 100 && clip.y + clip.height === 700 && clip.width === 1100, "at the screen's foot, across all of it");
      const [reject, accept] = answers;
      assert.deepEqual(reject.looks, accept.looks, "both answers are alike");
      assert.ok(reject.looks.height >= 44 && reject.y === accept.y, "large enough, side by side");
      assert.ok(contrast(accept.looks.color, accept.looks.backgroundColor) >= 7, "can be read");
      assert.deepEqual([reject.hit, accept.hit], [true, true], "nothing lies over them");
      // A picture of a page that begins at its right shows another part of it.
      if (!/vertical/.test(ALL[what])) assert.ok(pixels.equals(expected.pixels), "the same to the pixel");
    });
  }
}

for (const javaScriptEnabled of [true, false]) {
  test(`rule_c5_the_link_to_the_choices_is_the_same_whatever_style_a_site_has (${javaScriptEnabled ? "with a script" : "without a script"})`, async () => {
    const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1100, height: 700 }, javaScriptEnabled });
    const page = await context.newPage();
    await page.goto(`${gateway.address}/plain`);
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.locator("#consentry-banner").waitFor({ state: "detached" });
    const names = ["", ...Object.keys(javaScriptEnabled ? ALL : RULES)];
    /** @type {Buffer | undefined} */ let expected;
    for (const what of names) {
      const address = `${gateway.address}/${what && Object.keys(ALL).indexOf(what)}`;
      await page.goto(address);
      const hit = await page.locator(".consentry-link").evaluate((link) => {
        const { x, y, width, height } = link.getBoundingClientRect();
        return height >= 44 && document.elementFromPoint(x + width / 2, y + height / 2) === link;
      });
      assert.ok(hit, `${what}: it can be pressed`);
      const pixels = await page.locator("#consentry-corner").screenshot({ animations: "disabled" });
      expected ??= pixels;
      if (!/vertical/.test(ALL[what])) assert.ok(pixels.equals(expected), `${what}: the same to the pixel`);
    }
    await context.close();
  });
}

test("not even attributes of style on our elements hide them, once the script has run", async () => {
  const context = await browser.newContext({ locale: "en-GB" });
  const page = await context.newPage();
  await page.goto(`${gateway.address}/attributes`);
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  await context.close();
});

test("the script changes nothing of how the banner looks, and moves nothing", async () => {
  const shapes = [{ width: 1280, height: 800 }, { width: 900, height: 700 }, { width: 320, height: 568 }, { width: 320, height: 256 }];
  for (const viewport of shapes) {
    for (const more of [{}, { colorScheme: "dark" }, { forcedColors: "active" }]) {
      const options = /** @type {import("playwright-core").BrowserContextOptions} */ ({ viewport, ...more });
      const [scripted, unscripted] = [await look("", options), await look("", { ...options, javaScriptEnabled: false })];
      assert.ok(scripted.pixels.equals(unscripted.pixels), JSON.stringify(options));
    }
  }
});
