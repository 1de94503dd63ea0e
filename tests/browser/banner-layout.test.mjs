// The banner's own shape: on every screen, in every direction of writing, for every preference, at little weight.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { startBrowser, startGateway, startSite } from "./support.mjs";

/** HTML, style and script together, compressed. */
const MOST_BYTES = 6 * 1024;

/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

before(async () => {
  site = await startSite();
  gateway = await startGateway(site.origin);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  site?.stop();
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function visitor(options) {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  contexts.push(context);
  const page = await context.newPage();
  await page.addInitScript(() => {
    const shifts = /** @type {any[]} */ ([]);
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => shifts.push(...list.getEntries())).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(gateway.address);
  return page;
}

/** @param {import("playwright-core").Page} page @param {string} selector */
async function box(page, selector) {
  const found = await page.locator(selector).boundingBox();
  assert.ok(found, selector);
  return found;
}

test("banner, style and script weigh at most 6 KB, compressed", async (t) => {
  const page = await visitor({ javaScriptEnabled: false });
  const html = await page.evaluate(() => [...document.querySelectorAll(".consentry, [href*='/_privacy/banner'], [src*='/_privacy/banner']")].map((part) => part.outerHTML).join("\n"));
  assert.match(html, /banner\.css.*Reject all/s);
  /** @type {Record<string, Buffer>} */
  const parts = { html: Buffer.from(html) };
  for (const [kind, name] of [["css", "banner.css"], ["js", "banner.js"]]) {
    const answer = await page.request.get(`${gateway.address}/_privacy/${name}`, { headers: { "accept-encoding": "br, gzip" } });
    t.diagnostic(`${name} is served ${answer.headers()["content-encoding"] ?? "as it is"}`);
    parts[kind] = await answer.body();
  }
  for (const [how, small] of /** @type {[string, (bytes: Buffer) => Buffer][]} */ ([["brotli", brotliCompressSync], ["gzip", (bytes) => gzipSync(bytes, { level: 9 })]])) {
    const sizes = Object.fromEntries(Object.entries(parts).map(([kind, bytes]) => [kind, small(bytes).length]));
    const sum = Object.values(sizes).reduce((a, b) => a + b);
    t.diagnostic(`${how}: ${sum} bytes, ${JSON.stringify(sizes)}`);
    assert.ok(sum <= MOST_BYTES, `${how}: ${sum} bytes`);
  }
});

for (const viewport of [{ width: 1280, height: 800 }, { width: 768, height: 1024 }, { width: 320, height: 568 }]) {
  test(`nothing moves when the banner comes and when it goes, at ${viewport.width} by ${viewport.height}`, async () => {
    const page = await visitor({ viewport });
    await page.waitForTimeout(300);
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.getByText("Your choice is saved.").waitFor();
    await page.waitForTimeout(300);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).shifts.map((/** @type {any} */ shift) => shift.value)), []);
  });
}

test("rule_c4_on_every_screen_both_answers_are_alike_and_can_be_pressed_by_a_thumb", async () => {
  for (const width of [320, 360, 480, 767, 768, 1023, 1024, 1280, 2560]) {
    const page = await visitor({ viewport: { width, height: 900 } });
    const [reject, accept] = [await box(page, "button[value=reject]"), await box(page, "button[value=accept]")];
    const manage = await box(page, ".consentry-manage");
    assert.deepEqual([reject.width, reject.height, reject.y], [accept.width, accept.height, accept.y], `${width} px`);
    assert.ok(reject.height >= 44 && manage.height >= 44 && reject.width >= 44 && manage.width >= 44, `${width} px`);
    assert.ok(accept.x + accept.width <= width && reject.x >= 0, `${width} px`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width} px: nothing is cut off`);
    const inside = await page.locator("#consentry-banner").evaluate(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight);
    assert.ok(inside, `${width} px: all of it is in view`);
  }
});

test("a text that is too long is read by scrolling inside the banner, and both answers can be reached", async () => {
  const page = await visitor({ viewport: { width: 320, height: 568 } });
  await page.locator(".consentry-text").evaluate((text) => (text.textContent = "Wir möchten Geschwindigkeitsbegrenzungen. ".repeat(40)));
  const banner = await box(page, "#consentry-banner");
  assert.ok(banner.height <= 0.7 * 568 + 1, `${banner.height}`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => /** @type {any} */ (document.activeElement).value), "reject");
  const reject = await box(page, "button[value=reject]");
  assert.ok(reject.y >= banner.y && reject.y + reject.height <= 568, "the focus brings it into view");
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
});

test("a page that is enlarged while the banner is open keeps half of its screen", async () => {
  const page = await visitor({ viewport: { width: 1280, height: 1024 } });
  await page.setViewportSize({ width: 320, height: 256 });
  const banner = await box(page, "#consentry-banner");
  assert.ok(banner.height <= 128 && banner.y + banner.height === 256, JSON.stringify(banner));
  await page.getByRole("button", { name: "Accept all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
});

for (const scripted of [true, false]) {
  test(`in writing from right to left all is the other way round (${scripted ? "with the script" : "without it"})`, async () => {
    const page = await visitor({ javaScriptEnabled: scripted });
    const before = await box(page, "button[value=reject]");
    await page.locator(".consentry").evaluateAll((parts) => parts.forEach((part) => part.setAttribute("dir", "rtl")));
    const [title, reject, accept] = [await box(page, ".consentry-title"), await box(page, "button[value=reject]"), await box(page, "button[value=accept]")];
    assert.ok(reject.x > accept.x, "the first answer is at the right");
    assert.ok(Math.abs(before.x + before.width - (1280 - accept.x)) > 1 && title.x + title.width > reject.x + reject.width);
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.locator("#consentry-banner").waitFor({ state: "detached" });
    await page.locator("#consentry-corner").evaluate((corner) => {
      corner.setAttribute("dir", "rtl");
      corner.setAttribute("class", "consentry consentry-corner");
    });
    const corner = await box(page, "#consentry-corner");
    assert.ok(corner.x > 640, "the link too, where the site names no side");
  });

  test(`the link stands where the site wants it (${scripted ? "with the script" : "without it"})`, async () => {
    const page = await visitor({ javaScriptEnabled: scripted });
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.locator("#consentry-banner").waitFor({ state: "detached" });
    const place = async (/** @type {string} */ name) => {
      await page.locator("#consentry-corner").evaluate((corner, name) => corner.setAttribute("class", `consentry consentry-corner consentry-corner-${name}`), name);
      return page.locator("#consentry-corner").boundingBox();
    };
    const [left, right] = [await place("left"), await place("right")];
    assert.ok(left && left.x < 20 && left.height >= 44, JSON.stringify(left));
    assert.ok(right && right.x + right.width > 1260 && right.width === left.width, JSON.stringify(right));
    const none = await place("none");
    assert.ok(none && none.width <= 1 && none.height <= 1, JSON.stringify(none));
    await page.locator("body").press("Tab");
    assert.notEqual(await page.evaluate(() => document.activeElement?.className), "consentry-link", "and no focus stops there unseen");
  });
}

test("nothing of it is printed, and nothing of it moves", async () => {
  const page = await visitor({ reducedMotion: "reduce" });
  const moving = await page.evaluate(() => [
    document.getAnimations().length,
    ...[...document.querySelectorAll("#consentry-banner, #consentry-banner > *")].map((part) => getComputedStyle(part).transitionDuration || "0s"),
  ]);
  assert.deepEqual([...new Set(moving)], [0, "0s"]);
  await page.emulateMedia({ media: "print" });
  for (const part of ["#consentry-banner", "#consentry-corner"]) assert.equal(await page.locator(part).isVisible(), false);
});

/** Pages of a site's own, as visitors have them behind a gateway. @param {string} head @param {string} body */
async function own(head, body) {
  const theirs = await startSite(undefined, { head, body });
  const before = await startGateway(theirs.origin);
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 } });
  contexts.push(context);
  const stop = async () => {
    await before.stop();
    theirs.stop();
  };
  return { page: await context.newPage(), address: before.address, direct: theirs.origin, stop };
}

test("a page that is as high as the screen stays so", async () => {
  const { page, address, direct, stop } = await own(
    "<style>* { box-sizing: border-box } html, body { height: 100%; margin: 0 } #full { height: 100% } h1, pre { display: none }</style>",
    `<div id="full"></div>`,
  );
  try {
    for (const at of [direct, address]) {
      await page.goto(at);
      assert.equal((await box(page, "#full")).height, 800, at);
    }
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.getByText("Your choice is saved.").waitFor();
    assert.equal((await box(page, "#full")).height, 800);
  } finally {
    await stop();
  }
});

test("on paper the page has as many sheets as without a banner", async () => {
  const { page, address, direct, stop } = await own("<style>pre { display: none } @page { size: A4; margin: 10mm } body { margin: 0 }</style>", `<div style="height: 700px"></div>`);
  try {
    const sheets = async (/** @type {string} */ at) => {
      await page.goto(at);
      return (await page.pdf({ preferCSSPageSize: true })).toString("latin1").match(/\/Type ?\/Page\b/g)?.length;
    };
    assert.equal(await sheets(direct), 1);
    assert.equal(await sheets(address), 1);
  } finally {
    await stop();
  }
});
