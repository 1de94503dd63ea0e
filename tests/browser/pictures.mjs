// Makes the pictures in README: the demo's site and dashboard as they are. `npm run pictures`, after `cargo build`.
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, signIn, startBrowser, startDemo } from "./support.mjs";

/** No picture weighs more than this: README is read on telephones too. */
const MOST_BYTES = 250_000;
const FOLDER = process.argv[2] ?? fileURLToPath(new URL("pictures", import.meta.url));
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

await mkdir(FOLDER, { recursive: true });
const demo = await startDemo();
const browser = await startBrowser();

/**
 * @param {string} name
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {(page: import("playwright-core").Page) => Promise<unknown>} arrive
 * @param {boolean} [fullPage]
 */
async function picture(name, options, arrive, fullPage = false) {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/London", viewport: DESK, ...options });
  const page = await context.newPage();
  await arrive(page);
  const file = path.join(FOLDER, name);
  await page.screenshot({ path: file, fullPage });
  await context.close();
  const { size } = await stat(file);
  if (size > MOST_BYTES) throw new Error(`${name} has ${size} bytes, more than ${MOST_BYTES}`);
  console.log(`${name}: ${Math.round(size / 1000)} kB`);
}

/** @param {import("playwright-core").Page} page */
const home = (page) => page.goto(demo.address, { waitUntil: "networkidle" });

/** @param {import("playwright-core").Page} page */
async function preferences(page) {
  await home(page);
  await page.getByRole("button", { name: "Accept all" }).click();
  await page.getByRole("link", { name: "Privacy choices" }).click();
}

/** @param {import("playwright-core").Page} page */
async function dashboard(page) {
  await page.goto(`${demo.dashboard}`);
  await signIn(page, demo.password);
  await page.locator(".chart svg").waitFor();
  await eventually(async () => (await page.locator(".card .bar").count()) > 12, "the cards are filled");
}

try {
  await picture("banner.png", {}, home);
  await picture("banner-phone.png", { viewport: PHONE }, home);
  await picture("preferences.png", {}, preferences);
  await picture("dashboard.png", {}, dashboard, true);
  await picture("dashboard-dark.png", { colorScheme: "dark" }, dashboard, true);
} finally {
  await browser.close();
  await demo.stop();
}
