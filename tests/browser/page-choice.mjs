// What tests of the page's own side of the choice share.

/**
 * A page whose script is there: the gateway gives it to every page, at the least where it asks.
 * @param {import("playwright-core").Page} page
 * @param {string} address
 */
export async function open(page, address) {
  await page.goto(address);
  const there = await page.evaluate(() => "get" in (/** @type {any} */ (window).consentry ?? {}));
  if (!there) await page.addScriptTag({ url: "/_privacy/banner.js", type: "module" });
  await page.waitForFunction(() => "get" in (/** @type {any} */ (window).consentry ?? {}));
}

/**
 * The twin of the choice's cookie, where the gateway's answer comes without it.
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} address the gateway's
 */
export async function withTwin(context, address) {
  await context.route("**/_privacy/consent", async (route) => {
    const response = await route.fetch().catch(() => null);
    if (!response) return;
    const state = await response.json().catch(() => null);
    const told = route.request().method() === "POST" && state?.chosen && !response.headers()["set-cookie"]?.includes("consentry_choice=");
    if (told) {
      const optional = state.granted.filter((/** @type {string} */ id) => id !== "necessary");
      await context.addCookies([{ name: "consentry_choice", value: optional.join("!") || "none", url: address }]);
    }
    // The page may have gone meanwhile.
    await route.fulfill({ response }).catch(() => {});
  });
}
