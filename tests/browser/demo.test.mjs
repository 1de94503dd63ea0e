// `consentry demo` shows what it promises: a site, a gateway before it, and marketing's figures, from one command.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { agent, card, eventually, ready, signIn, startBrowser, startDemo, total } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startDemo>>} */ let demo;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

/** A page in a browser of its own, and every address it asked for. */
async function visitor() {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/London", userAgent: agent(browser) });
  contexts.push(context);
  const page = await context.newPage();
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  return { context, page, asked };
}

/** The dashboard, signed in; `search` as it stands in the address. */
async function dashboard(search = "") {
  const { page } = await visitor();
  await page.goto(`${demo.dashboard}/${search}`);
  await signIn(page, demo.password);
  await ready(page);
  return page;
}

test("the dashboard shows the history of the last days: totals, a chart, pages, sources, countries, devices", async () => {
  const page = await dashboard("?range=30d");
  const [visitors, visits, pageViews] = [await total(page, "Visitors"), await total(page, "Visits"), await total(page, "Page views")];
  assert.ok(visitors > 50, `${visitors} visitors`);
  assert.ok(visits >= visitors, `${visits} visits of ${visitors} visitors`);
  assert.ok(pageViews > visits, `${pageViews} page views in ${visits} visits`);

  await page.locator("#chart svg .line").first().waitFor();
  assert.match((await page.locator("#chart .canvas").getAttribute("aria-label")) ?? "", /by day, 30 values/);
  await page.getByText("Show as a table").click();
  const cells = await page.locator("#chart-table tbody td:nth-of-type(3)").allInnerTexts();
  assert.equal(cells.length, 30, "a row for each day");
  assert.equal(cells.reduce((sum, cell) => sum + Number(cell), 0), pageViews, "the days add up to the total");

  const pages = await card(page, "Pages");
  assert.ok(pages["/"] > 0 && pages["/pricing"] > 0, JSON.stringify(pages));
  const sources = await card(page, "Sources");
  assert.ok(sources["Googleorganic search"] > 0 && sources["newsletteremail"] > 0, JSON.stringify(sources));
  assert.equal(Object.keys(sources).filter((name) => name.startsWith("Direct")).length, 1, "each source has one row");
  const countries = await card(page, "Countries");
  assert.ok(countries["United Kingdom"] > 0, JSON.stringify(countries));
  assert.ok(Object.keys(countries).length > 3, "people come from several countries");
  const devices = await card(page, "Devices");
  assert.ok(devices.Desktop > 0 && devices.Mobile > 0, JSON.stringify(devices));
  assert.equal(devices.Desktop + devices.Mobile, visitors, "everyone has a device");
});

test("another range of dates shows other figures, and the address brings them back", async () => {
  const page = await dashboard("?range=30d");
  const month = await total(page, "Visits");
  await page.getByRole("button", { name: "7 days" }).click();
  await eventually(async () => (await total(page, "Visits")) < month, "fewer visits in seven days than in thirty");
  const day = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
  const [week, url] = [await total(page, "Visits"), page.url()];

  await page.getByRole("button", { name: "Custom" }).click();
  for (const name of ["From", "To"]) await page.getByRole("textbox", { name, exact: true }).fill(day);
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await eventually(async () => (await total(page, "Visits")) < week, "fewer visits on one day than in seven");
  const [row] = await demo.query(`SELECT countIf(seq = 1) AS visits FROM events WHERE toDate(ts) = '${day}' AND is_bot = 0`);
  assert.equal(await total(page, "Visits"), Number(row.visits), "as the database has it");

  await page.goto(url);
  await ready(page);
  assert.equal(await total(page, "Visits"), week);
});

test("a wrong password opens nothing, and signing out closes what the right one opened", async () => {
  const { page } = await visitor();
  await page.goto(demo.dashboard);
  await page.getByLabel("Password").fill(`${demo.password}x`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("not the password").waitFor();
  const totals = `${demo.dashboard}/api/totals?from=2026-01-01&to=2026-01-02`;
  assert.equal((await page.request.get(totals)).status(), 401);

  await signIn(page, demo.password);
  assert.equal((await page.request.get(totals)).status(), 200);
  const held = await page.context().cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Password").waitFor();
  assert.equal((await page.request.get(totals)).status(), 401);
  await page.context().addCookies(held);
  assert.equal((await page.request.get(totals)).status(), 401, "the session is over, not only forgotten");
});

test("a visitor who accepts is counted within seconds; one who rejects is not", async () => {
  const page = await dashboard("?range=today");
  const [visitors, views] = [await total(page, "Visitors"), await total(page, "Page views")];

  const refuser = await visitor();
  await refuser.page.goto(`${demo.address}/about`);
  await refuser.page.getByRole("button", { name: "Reject all" }).click();
  await refuser.page.getByText("Your choice is saved.").waitFor();
  for (const path of ["/pricing", "/product"]) await refuser.page.goto(`${demo.address}${path}`);

  const accepter = await visitor();
  await accepter.page.goto(demo.address);
  await accepter.page.getByRole("button", { name: "Accept all" }).click();
  await accepter.page.getByText("Your choice is saved.").waitFor();
  await accepter.page.getByRole("link", { name: "Product" }).click();
  await accepter.page.getByRole("heading", { name: "Product", level: 1 }).waitFor();
  const from = Date.now();
  await eventually(async () => {
    await page.reload();
    await ready(page);
    return (await total(page, "Page views")) > views;
  }, "the dashboard counts the visitor");
  assert.ok(Date.now() - from < 15_000, "within seconds");
  assert.equal(await total(page, "Visitors"), visitors + 1);
  assert.equal(await total(page, "Page views"), views + 1, "of the two visitors' five pages only one came after an acceptance");
});

test("the third party's tag runs at once without the gateway, and with it only after consent", async () => {
  const unguarded = await visitor();
  await unguarded.page.goto(demo.site);
  const called = /** @param {string[]} asked */ (asked) => asked.filter((url) => /\/(tag\.js|collect)\b/.test(url)).length;
  await eventually(async () => called(unguarded.asked) === 2, "the tag is loaded and calls home");
  const names = (await unguarded.context.cookies()).map(({ name }) => name).sort();
  assert.deepEqual(names, ["_thirdparty", "fernhill_region"], "and leaves its cookie beside the site's");

  const { context, page, asked } = await visitor();
  await page.goto(demo.address, { waitUntil: "networkidle" });
  assert.equal(called(asked), 0, "before a choice");
  assert.deepEqual(await context.cookies(), []);
  await page.getByRole("button", { name: "Accept all" }).click();
  await eventually(async () => called(asked) === 2, "after it");
  await eventually(async () => (await context.cookies()).some(({ name }) => name === "_thirdparty"), "its cookie is there");
});

test("the site's form, search, download, outbound link and telephone link work through the gateway", async () => {
  const { page } = await visitor();
  await page.goto(`${demo.address}/contact`);
  // The banner may lie over the page's end; whoever goes on without choosing can scroll to all of it.
  await page.getByLabel("Your name").fill("Ann Example");
  await page.getByLabel("E-mail address").fill("ann@example.org");
  await page.getByLabel("Practice size").selectOption("Larger");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "Thank you" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/contact/thanks");

  await page.getByRole("searchbox", { name: "Search" }).fill("triage");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("heading", { name: "Search: triage" }).waitFor();
  await page.getByRole("main").getByRole("link", { name: "Product" }).click();
  await page.getByRole("heading", { name: "Product", level: 1 }).waitFor();

  await page.getByRole("link", { name: "Fernhill Health" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /Download the guide/ }).click()]);
  assert.equal(download.suggestedFilename(), "fernhill-guide.pdf");
  assert.match(await readFile(await download.path(), "latin1"), /^%PDF-/);

  const outbound = page.getByRole("contentinfo").getByRole("link", { name: "NHS website" });
  assert.equal(await outbound.getAttribute("href"), "https://www.nhs.uk/");
  assert.equal(await page.getByRole("contentinfo").getByRole("link", { name: "01632 960123" }).getAttribute("href"), "tel:+441632960123");
});

/** @type {NodeJS.Signals[]} */
const signals = ["SIGINT", "SIGTERM"];
for (const signal of signals) {
  test(`${signal} ends everything with no process left`, async () => {
    const other = await startDemo();
    try {
      const children = await descendants(other.pid);
      assert.ok(children.length > 0, "the engine is a process of its own");
      assert.equal(await other.end(signal), 0);
      await eventually(async () => (await Promise.all(children.map(isAlive))).every((alive) => !alive), "its children have ended");
      await assert.rejects(fetch(other.address), "nobody listens any more");
    } finally {
      await other.stop();
    }
  });
}

/** @param {number} pid @returns {Promise<string>} `/proc/PID/stat`; empty where there is no such process */
const processState = (pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");

/** @param {number} pid */
const isAlive = async (pid) => !/^$|\) [ZX] /.test(await processState(pid));

/** @param {number} of @returns {Promise<number[]>} the processes it started, and those they started */
async function descendants(of) {
  const all = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(all.map(async (pid) => Number(/\) \S (\d+)/.exec(await processState(pid))?.[1])));
  const children = all.filter((_, i) => parents[i] === of);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}
