// The banner by keyboard: reached in order, left again, seen, and never over what has the focus.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startBrowser, startGateway, startSite } from "./support.mjs";

const SKIP = `<a href="#main" id="skip">Skip to the content</a>`;
const LINKS = Array.from({ length: 40 }, (_, i) => `<p><a href="/${i}" id="link-${i}">A link</a></p>`).join("");

/** @type {Awaited<ReturnType<typeof startSite>>} */ let site;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];

before(async () => {
  site = await startSite(undefined, { body: `${SKIP}<main id="main" tabindex="-1">${LINKS}</main>` });
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
  await page.goto(gateway.address);
  return page;
}

/** What has the focus. @param {import("playwright-core").Page} page */
const focused = (page) =>
  page.evaluate(() => {
    const element = /** @type {HTMLButtonElement} */ (document.activeElement);
    return element.id || element.value || element.className || element.localName;
  });

/** @param {import("playwright-core").Page} page @param {string} key @param {number} times */
async function press(page, key, times) {
  const order = [];
  for (let i = 0; i < times; i++) {
    await page.keyboard.press(key);
    order.push(await focused(page));
  }
  return order;
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with the script" : "without it";

  test(`the focus comes to Reject, Accept and the choices in this order, goes on to the page, and comes back (${how})`, async () => {
    const page = await visitor({ javaScriptEnabled });
    const order = await press(page, "Tab", 6);
    const at = order.indexOf("reject");
    assert.deepEqual(order.slice(at, at + 3), ["reject", "accept", "consentry-manage"]);
    assert.deepEqual(order.filter((name) => /reject|accept|consentry/.test(name)).length, 3, "each once, and no trap");
    assert.ok(order.includes("link-0"), "the page follows");
    assert.equal(order[0], "skip", "after the page's link past it all");
    const back = await press(page, "Shift+Tab", 5);
    assert.deepEqual(back.slice(back.indexOf("consentry-manage")).slice(0, 3), ["consentry-manage", "accept", "reject"]);
  });

  test(`rule_c4_escape_does_nothing (${how})`, async () => {
    const page = await visitor({ javaScriptEnabled });
    for (const place of [null, "reject"]) {
      if (place) await page.locator(`button[value=${place}]`).focus();
      await press(page, "Escape", 3);
      assert.equal(await page.locator("#consentry-banner").isVisible(), true);
      assert.equal((await (await page.request.get(`${gateway.address}/_privacy/consent`)).json()).chosen, false);
    }
    assert.equal(await focused(page), "reject", "and takes the focus from nobody");
  });

  test(`what has the focus is seen to have it (${how})`, async () => {
    const page = await visitor({ javaScriptEnabled });
    for (const name of ["button[value=reject]", "button[value=accept]", ".consentry-manage"]) {
      const element = page.locator(name);
      await page.locator("body").press("Tab");
      while (!(await element.evaluate((it) => it === document.activeElement))) await page.keyboard.press("Tab");
      const { outlineStyle, outlineWidth, outlineColor, boxShadow } = await element.evaluate((it) => {
        const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(it);
        return { outlineStyle, outlineWidth, outlineColor, boxShadow };
      });
      assert.deepEqual([outlineStyle, outlineWidth, outlineColor], ["solid", "3px", "rgb(11, 12, 12)"]);
      assert.match(boxShadow, /rgb\(255, 221, 0\)/);
    }
  });

  for (const viewport of [{ width: 1280, height: 800 }, { width: 320, height: 568 }, { width: 320, height: 256 }]) {
    test(`the banner never lies over what has the focus, at ${viewport.width} by ${viewport.height} (${how})`, async () => {
      const page = await visitor({ javaScriptEnabled, viewport });
      for (const key of ["Tab", "Shift+Tab"]) {
        for (let i = 0; i < 44; i++) {
          await page.keyboard.press(key);
          const hidden = await page.evaluate(() => {
            const element = /** @type {Element} */ (document.activeElement);
            const { left, right, top, bottom } = element.getBoundingClientRect();
            const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return element !== document.body && element !== over && !element.contains(over) && `${element.outerHTML} under ${over?.outerHTML.slice(0, 60)}`;
          });
          assert.equal(hidden, false);
        }
      }
    });
  }
}

test("rule_c4_both_answers_are_pressed_by_keyboard_alike", async () => {
  for (const [value, key] of [["reject", "Enter"], ["accept", "Enter"], ["reject", "Space"], ["accept", "Space"]]) {
    const page = await visitor();
    await page.locator(`button[value=${value}]`).focus();
    await page.keyboard.press(key);
    await page.getByText("Your choice is saved.").waitFor();
    const { granted } = await (await page.request.get(`${gateway.address}/_privacy/consent`)).json();
    assert.equal(granted.includes("analytics"), value === "accept");
  }
});
