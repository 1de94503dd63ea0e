// The dashboard in the hand: with nothing to show, with the keyboard, in the dark, on a telephone.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { agent, card, eventually, ready, signIn, startBrowser, startGateway, startSite, total } from "./support.mjs";

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
async function open(options) {
  const context = await browser.newContext({ locale: "en-GB", userAgent: agent(browser), ...options });
  contexts.push(context);
  return context.newPage();
}

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function dashboard(options) {
  const page = await open(options);
  await page.goto(gateway.dashboard);
  await signIn(page, gateway.password);
  await ready(page);
  return page;
}

/** @type {Promise<void> | undefined} */
let visited;

/** Two people visit, once for all tests: one follows a link of the page they agreed on to `/second`, one asks for it. */
function visits() {
  // By name, as visitors come: where a site is an address, its own pages cannot be told from others'.
  const address = gateway.address.replace("127.0.0.1", "localhost");
  visited ??= (async () => {
    for (const follows of [true, false]) {
      const page = await open();
      await page.goto(address);
      await page.getByRole("button", { name: "Accept all" }).click();
      await page.getByText("Your choice is saved.").waitFor();
      if (follows) await page.getByRole("link", { name: "second" }).click();
      else await page.goto(`${address}/second`);
      await page.getByRole("heading", { name: "/second" }).waitFor();
      if (follows) await page.goto(`${address}/pricing`);
    }
    await eventually(async () => Number((await gateway.query("SELECT count() AS n FROM events WHERE name = 'pageview'"))[0].n) === 3, "three page views");
  })();
  return visited;
}

test("a site nobody has visited yet is told what to do, not shown empty panels", async () => {
  const page = await dashboard();
  await page.getByRole("heading", { name: "No visits in the last 7 days" }).waitFor();
  await page.getByText("Accept analytics in the banner").waitFor();
  assert.equal(await total(page, "Visitors"), 0);
  assert.equal(await page.locator("#chart").isVisible(), false);
  await page.getByRole("button", { name: "Show the last 12 months" }).click();
  await page.getByRole("heading", { name: "No visits in the last 12 months" }).waitFor();
});

test("everything can be done with the keyboard alone", async () => {
  await visits();
  const page = await open();
  await page.goto(gateway.dashboard);
  await page.locator("#password:focus").waitFor();
  await page.keyboard.type(gateway.password);
  await page.keyboard.press("Enter");
  await ready(page);
  await page.keyboard.press("1");
  await page.getByRole("heading", { name: "Today", level: 1 }).waitFor();
  assert.equal(new URL(page.url()).search, "?range=today");
  await page.keyboard.press("3");
  await page.getByRole("heading", { name: "Last 30 days", level: 1 }).waitFor();
  await ready(page);

  await page.locator("#chart .canvas").focus();
  await page.keyboard.press("End");
  const spoken = await page.locator("#chart [aria-live]").innerText();
  assert.match(spoken, /Visitors 2, Visits 2, Page views 3/);

  await page.getByRole("button", { name: /^\/pricing/ }).focus();
  await page.keyboard.press("Enter");
  await eventually(async () => (await total(page, "Visitors")) === 1, "narrowed to who saw the page");
  assert.equal(new URL(page.url()).searchParams.get("page"), "/pricing");
  await page.keyboard.press("Escape");
  await eventually(async () => (await total(page, "Visitors")) === 2, "Escape widens again");

  await page.getByRole("button", { name: "Visitors: how is this counted?" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("uniq(visitor_id)").waitFor();
  await page.getByRole("dialog").getByText("From whose consent?").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0);
  const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.equal(focused, "Visitors: how is this counted?", "and the reader is back where they were");
});

test("who agreed on the site is told apart from who came without a source", async () => {
  await visits();
  const page = await dashboard();
  assert.deepEqual(await card(page, "Sources"), { "Already on the site": 1, "Direct or none": 1 });
  assert.deepEqual(await card(page, "Devices"), { Desktop: 2 });
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`text can be read in ${colorScheme} colours`, async () => {
    await visits();
    const page = await dashboard({ colorScheme });
    await page.locator(".card .row").first().waitFor();
    const faint = await page.evaluate(() => {
      const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      /** @param {string} colour @returns {number[]} */
      const parts = (colour) => {
        if (!paint) throw new Error("no canvas");
        paint.clearRect(0, 0, 1, 1);
        paint.fillStyle = colour;
        paint.fillRect(0, 0, 1, 1);
        return [...paint.getImageData(0, 0, 1, 1).data];
      };
      /** WCAG 2.2, relative luminance. @param {number[]} colour */
      const luminance = (colour) => {
        const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      /** @param {Element | null} element @returns {number[]} what is behind it */
      const behind = (element) => {
        const own = element ? parts(getComputedStyle(element).backgroundColor) : [255, 255, 255, 255];
        return own[3] > 250 ? own : behind(element?.parentElement ?? null);
      };
      const texts = [...document.querySelectorAll("#dashboard *")].filter(
        (element) => element.checkVisibility({ opacityProperty: true }) && [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim()),
      );
      return texts.flatMap((element) => {
        const style = getComputedStyle(element);
        const ink = parts(element instanceof SVGElement ? style.fill : style.color);
        const [high, low] = [luminance(ink), luminance(behind(element))].sort((a, b) => b - a);
        const contrast = (high + 0.05) / (low + 0.05);
        return contrast < 4.5 ? [`${element.textContent?.trim()}: ${contrast.toFixed(2)}`] : [];
      });
    });
    assert.deepEqual(faint, []);
  });
}

test("on a telephone nothing is cut off at the side", async () => {
  await visits();
  const page = await dashboard({ viewport: { width: 320, height: 640 } });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
});

test("how the banner is answered is shown of everybody, explained, and not narrowed", async () => {
  const shown = await startGateway(site.origin);
  try {
    const empty = await open();
    await empty.goto(shown.dashboard);
    await signIn(empty, shown.password);
    await ready(empty);
    assert.equal(await empty.getByRole("heading", { name: "Answers to the banner" }).isVisible(), false, "hidden while nothing is counted");
    await shown.query(
      "INSERT INTO consent_statistics SELECT 1, toDate(now('UTC')), 1, '7', 'cy', 10, 4, 3, 1, toDate('2099-01-01')",
    );
    const page = await open();
    await page.goto(`${shown.dashboard}/?country=GB`);
    await signIn(page, shown.password);
    await ready(page);
    const card = page.getByRole("region", { name: "Answers to the banner" });
    await card.waitFor();
    const rows = await card.locator(".row").evaluateAll((found) =>
      found.map((row) => [".row-name", ".row-value"].map((part) => row.querySelector(part)?.textContent).join(" ")),
    );
    assert.deepEqual(rows, ["Accepted all 4", "Rejected all 3", "Chose some 1", "No answer 2"]);
    assert.match(await card.locator(".consent-summary").innerText(), /Banner shown 10 times\s+Acceptance rate 50% of answers\s+Refusal rate 38% of answers/);
    await card.getByRole("button", { name: "How is this counted?" }).click();
    await page.getByRole("dialog").getByText("Page views on which the banner was shown, not people").waitFor();
    await page.keyboard.press("Escape");
    await card.getByRole("button", { name: "By day, version and language" }).click();
    const cells = page.getByRole("dialog").locator("tbody tr").first().locator("td");
    await cells.first().waitFor();
    assert.deepEqual(await cells.allInnerTexts(), ["7", "cy", "10", "4", "3", "1", "2", "50%", "38%"]);
  } finally {
    await shown.stop();
  }
});
