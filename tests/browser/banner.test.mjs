// The banner on sites that make it hard: rules of style that would hide it, and policies that admit nobody.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startSite, startThirdParty } from "./support.mjs";

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
 * A visitor's page before a site of its own; `problems` is what the browser complained of.
 * @param {Parameters<typeof startSite>[1]} more
 * @param {{ tag?: string, configuration?: string, context?: import("playwright-core").BrowserContextOptions }} [options]
 */
async function visitor(more, { tag, configuration, context: options } = {}) {
  const site = await startSite(tag, more);
  stops.push(site.stop);
  const gateway = await startGateway(site.origin, configuration);
  stops.push(gateway.stop);
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/London", ...options });
  stops.push(() => context.close());
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  return { gateway, page, problems };
}

/** Rules as they stand on real sites, at their worst. */
const HOSTILE = `<style>
  * { all: unset !important; }
  html { font-size: 5px !important; }
  section, form, div, h2, p, a, button, nav, input { display: none !important; opacity: 0 !important; position: static !important;
    transform: scale(0.1) !important; visibility: hidden !important; color: white !important; background: white !important;
    width: 1px !important; height: 1px !important; pointer-events: none !important; font-size: 1px !important; }
  #page * { color: red; } button { float: left; text-transform: uppercase; letter-spacing: 2em; }
  .overlay { position: fixed; inset: 0; z-index: 2147483647; }
</style>`;
const CARELESS = `<style>
  html { font-size: 62.5%; } body { font: italic 10px/1 serif; text-transform: uppercase; color: #eee; letter-spacing: .3em; }
  * { box-sizing: content-box; margin: 0; padding: 0; } section { position: relative; max-width: 300px; float: right; z-index: 1; }
  #main button, body button { background: none; border: 0; color: #eee; font-size: 8px; width: 30px; float: left; opacity: .2; }
  button::before { content: "»"; } a { color: white; text-decoration: none; pointer-events: none; } form { display: none; } h2 { display: none; }
  p { line-height: 1; visibility: hidden; } nav { transform: translateX(-9999px); } input { display: block; }
</style>`;

/** @param {import("playwright-core").Page} page what the two answers look like */
const looks = (page) =>
  page.locator(".consentry-button").evaluateAll((buttons) =>
    buttons.map((button) => {
      const { width, height, bottom } = button.getBoundingClientRect();
      const style = getComputedStyle(button);
      const { fontSize, fontStyle, color, backgroundColor, opacity, textTransform, letterSpacing, visibility } = style;
      return { width, height, bottom, fontSize, fontStyle, color, backgroundColor, opacity, textTransform, letterSpacing, visibility };
    }),
  );

test("a site's own rules of style change nothing of the banner", async () => {
  const plain = await visitor({});
  await plain.page.goto(plain.gateway.address);
  const careless = await visitor({ head: CARELESS });
  await careless.page.goto(careless.gateway.address);
  assert.deepEqual(await looks(careless.page), await looks(plain.page));
  await careless.page.getByRole("button", { name: "Reject all" }).click();
  await careless.page.getByText("Your choice is saved.").waitFor();
  await careless.page.getByRole("link", { name: /privacy choices/ }).click();
  await careless.page.getByRole("heading", { name: "Privacy choices" }).waitFor();
});

test("rule_c4_even_hostile_rules_never_make_one_answer_differ_from_the_other", async () => {
  const { gateway, page } = await visitor({ head: HOSTILE });
  await page.goto(gateway.address);
  const [reject, accept] = await looks(page);
  assert.deepEqual({ ...reject, width: 0 }, { ...accept, width: 0 });
  assert.equal((await (await page.request.get(`${gateway.address}/_privacy/consent`)).json()).chosen, false);
});

for (const [name, policy, head] of /** @type {[string, string, string][]} */ ([
  ["default-src 'self'", "default-src 'self'", ""],
  ["one host for scripts and nothing else", "default-src 'none'; script-src https://cdn.example/; style-src 'sha256-AAAA'; img-src 'self'; form-action 'none'", ""],
  ["a nonce", "script-src 'nonce-r4nd0m'; object-src 'none'; base-uri 'none'", `<script nonce="r4nd0m">window.own = 1</script>`],
  ["a nonce and strict-dynamic", "script-src 'nonce-r4nd0m' 'strict-dynamic' https:; base-uri 'none'", `<script nonce="r4nd0m">window.own = 1</script>`],
])) {
  test(`banner and collector work under a strict policy: ${name}`, async () => {
    const { gateway, page, problems } = await visitor({ headers: { "content-security-policy": policy }, head });
    await page.goto(`${gateway.address}/one`);
    const { backgroundColor } = (await looks(page))[0];
    assert.equal(backgroundColor, "rgb(11, 12, 12)", "the style sheet is there");
    await page.getByRole("button", { name: "Accept all" }).click();
    await page.getByText("Your choice is saved.").waitFor();
    assert.equal(new URL(page.url()).pathname, "/one");
    await page.goto(`${gateway.address}/two`);
    await eventually(async () => (await gateway.query("SELECT 1 FROM events WHERE path = '/two' AND name = 'page_loaded'"))[0], "the collector's row");
    await eventually(async () => (await gateway.query("SELECT 1 FROM events WHERE path = '/one' AND name = 'page_loaded'"))[0], "and that of the page where the choice was made");
    assert.deepEqual(problems, [], "the browser complains of nothing");
  });
}

test("where a page's <base> points to another site, what is ours comes from the gateway all the same", async () => {
  for (const head of [`<base href="http://elsewhere.example/">`, `<title>x</title><base href="http://elsewhere.example/">`]) {
    const { gateway, page } = await visitor({ head });
    /** @type {string[]} */ const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(`${gateway.address}/one`);
    await looks(page);
    assert.ok(asked.some((url) => url === `${gateway.address}/_privacy/banner.css`), String(asked));
    assert.deepEqual(asked.filter((url) => url.includes("elsewhere.example/_privacy")), []);
  }
});

test("a link at the page's foot is within reach, before a choice and after it", async () => {
  const { gateway, page } = await visitor({ head: "<style>html { font-size: 62.5% }</style>" });
  for (const answer of ["Accept all", null]) {
    await page.goto(gateway.address);
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.getByRole("link", { name: "second" }).click({ timeout: 10_000 });
    await page.getByRole("heading", { name: "/second" }).waitFor();
    if (answer) await page.getByRole("button", { name: answer }).click();
  }
});

test("a tag that was held back runs with the site's nonce once it is permitted", async () => {
  const third = await startThirdParty();
  stops.push(third.stop);
  const { gateway, page, problems } = await visitor(
    { headers: { "content-security-policy": "script-src 'nonce-r4nd0m'" }, head: `<script nonce="r4nd0m" src="${third.origin}/tag.js"></script>` },
    { configuration: `[[tag]]\nhost = "${third.host}"\npurpose = "analytics"\n` },
  );
  await page.goto(gateway.address);
  await page.getByRole("button", { name: "Accept all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  await eventually(() => page.evaluate(() => "tagRan" in window), "the tag has run");
  assert.deepEqual(problems, []);
});

test("the banner fits a small telephone and a page at 400 %, and covers no more than three quarters of it", async () => {
  const { gateway, page } = await visitor({});
  for (const viewport of [{ width: 320, height: 568 }, { width: 320, height: 256 }]) {
    await page.setViewportSize(viewport);
    await page.context().clearCookies();
    await page.goto(gateway.address);
    const banner = await page.locator("#consentry-banner").boundingBox();
    assert.ok(banner && banner.width <= 320, JSON.stringify(banner));
    if (viewport.height > 480) assert.ok(banner.height <= 0.75 * viewport.height + 1, JSON.stringify(banner));
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing is cut off at the side");
    await page.getByRole("button", { name: "Reject all" }).click();
    await page.getByText("Your choice is saved.").waitFor();
  }
});
