// What visitors click and hover: named by what it does, told of once, and never with what somebody wrote.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startCollected } from "./collected.mjs";
import { eventually } from "./support.mjs";

/** @type {Awaited<ReturnType<typeof startCollected>>} */ let collected;

const PAGES = {
  "/links": `
    <a id="inside" href="/next?a=1#part">  Next
      page </a>
    <a id="outside" href="https://elsewhere.example/there?x=1#y">Elsewhere</a>
    <a id="blank" href="https://elsewhere.example/blank" target="_blank">In a tab of its own</a>
    <a id="guide" href="/guide.PDF?v=2">Guide</a>
    <a id="kept" href="/report" download>Report</a>
    <a id="far" href="https://elsewhere.example/tool.zip">Tool</a>
    <a id="call" href="tel:+441632960123">Call us</a>
    <a id="write" href="mailto:hello@site.example?subject=Hi">Write</a>
    <a id="prevented" href="https://elsewhere.example/asked">Asked first</a>
    <a id="route" href="/route">Route</a>
    <svg width="90" height="30"><a id="drawn" href="/drawn"><rect width="90" height="30"/></a></svg>
    <map name="map"><area id="area" shape="rect" coords="0,0,80,30" href="/area" alt="Area"></map>
    <img usemap="#map" width="80" height="30" alt="" src="/pixel.svg">
    <script>
      document.querySelector("#prevented").addEventListener("click", (event) => event.preventDefault());
      document.querySelector("#route").addEventListener("click", (event) => (event.preventDefault(), event.stopImmediatePropagation()));
    </script>`,
  "/buttons": `
    <button id="plain" type="button">Ask for a <b>demonstration</b></button>
    <button id="aria" type="button" aria-label="Close the window">x</button>
    <div id="role" role="button" tabindex="0" aria-label="More">+</div>
    <input id="input" type="button" name="calculate" value="A value" data-consentry-click>
    <div id="marked" data-consentry-click><p>Gold</p></div>
    <div id="written" data-consentry-click contenteditable>My name is Ann</div>
    <textarea id="long" data-consentry-click name="message">Dear Ann</textarea>
    <p id="nothing">Only text</p>
    <div id="host"></div>
    <script>document.querySelector("#host").attachShadow({ mode: "open" }).innerHTML = '<a id="shadow" href="/shadow"><em>In the shadow</em></a>';
      for (const a of ["plain", "marked"]) addEventListener("load", () => document.querySelector("#" + a).click());</script>`,
  "/hover": `<a id="link" href="/next" style="display:inline-block;padding:20px">Rested <b>on</b></a>
    <div id="marked" data-consentry-hover aria-label="Prices" style="padding:20px">Prices</div><p id="plain" style="padding:20px">Plain</p>`,
  "/pixel.svg": { type: "image/svg+xml", body: '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="30"/>' },
  "/guide.PDF": { type: "application/octet-stream", body: "guide", headers: { "content-disposition": "attachment" } },
  "/report": { type: "application/octet-stream", body: "report", headers: { "content-disposition": "attachment" } },
};

before(async () => {
  collected = await startCollected(PAGES);
});
after(() => collected?.stop());
afterEach(() => collected.clear());

/** @typedef {import("./collected.mjs").Sent} Sent */

/** The page, and what was told of it. @param {string} path @param {RegExp} [names] */
async function on(path, names = /^(click|outbound|download|tel|mailto)$/) {
  const { context, page } = await collected.visitor();
  await context.route("https://elsewhere.example/**", (route) => route.fulfill({ contentType: "text/html", body: "elsewhere" }));
  const own = await collected.visit(page, path);
  const clicks = () => collected.sent(own).filter(({ n }) => names.test(n));
  /** @param {number} count @returns {Promise<Sent[]>} */
  const told = async (count) => {
    await eventually(async () => clicks().length >= count, `${count} clicks`);
    return clicks();
  };
  return { context, page, own, clicks, told };
}

/** @param {Sent} event */
const facts = ({ n, el, l, to }) => Object.fromEntries(Object.entries({ n, el, l: l?.replace(/\s+/g, " "), to }).filter(([, value]) => value !== undefined));

test("a link's click says what it is called and where it leads, without the fragment", async () => {
  const { page, told } = await on("/links");
  await page.click("#inside");
  assert.deepEqual((await told(1)).map(facts), [{ n: "click", el: "link", l: "Next page", to: `${collected.address}/next?a=1` }]);
});

test("links in drawings, maps and shadow trees are links", async () => {
  const { page, told } = await on("/links");
  await page.click("#drawn rect", { modifiers: ["Control"] });
  await page.click("img", { position: { x: 10, y: 10 }, modifiers: ["Control"] });
  assert.deepEqual((await told(2)).map(({ n, el, to }) => [n, el, to]), [
    ["click", "link", `${collected.address}/drawn`],
    ["click", "link", `${collected.address}/area`],
  ]);
  const shadow = await on("/buttons");
  await shadow.page.click("#shadow em");
  assert.deepEqual((await shadow.told(1)).map(facts), [{ n: "click", el: "link", l: "In the shadow", to: `${collected.address}/shadow` }]);
});

test("a way out of the site is told however it is taken: plainly, in a new tab, by the middle button, with ctrl", async () => {
  const { context, page, told, clicks } = await on("/links");
  await page.click("#blank");
  await page.click("#outside", { button: "middle" });
  await page.click("#outside", { modifiers: ["Control"] });
  await eventually(async () => context.pages().length === 4, "three tabs opened");
  await page.click("#outside");
  await told(4);
  assert.deepEqual(clicks().map(({ n, to }) => [n, to]), [
    ["outbound", "https://elsewhere.example/blank"],
    ["outbound", "https://elsewhere.example/there?x=1"],
    ["outbound", "https://elsewhere.example/there?x=1"],
    ["outbound", "https://elsewhere.example/there?x=1"],
  ]);
});

test("a download is told by its ending or its attribute, here or elsewhere, with ctrl and the middle button too", async () => {
  const { page, told } = await on("/links");
  await page.click("#guide");
  await page.click("#guide", { modifiers: ["Control"] });
  await page.click("#guide", { button: "middle" });
  await page.click("#kept");
  await page.click("#far", { modifiers: ["Control"] });
  const { address } = collected;
  assert.deepEqual((await told(5)).map(({ n, to }) => [n, to]), [
    ["download", `${address}/guide.PDF?v=2`],
    ["download", `${address}/guide.PDF?v=2`],
    ["download", `${address}/guide.PDF?v=2`],
    ["download", `${address}/report`],
    ["download", "https://elsewhere.example/tool.zip"],
  ]);
});

test("telephone and mail links are told without the number or the address", async () => {
  const { page, told } = await on("/links");
  await page.click("#write");
  await page.click("#call");
  const events = await told(2);
  assert.deepEqual(events.map(facts), [{ n: "mailto", el: "link", l: "Write" }, { n: "tel", el: "link", l: "Call us" }]);
  assert.ok(!/960123|site\.example/.test(JSON.stringify(events)));
});

test("a link the page has taken in hand is a click and no way out", async () => {
  const { page, told } = await on("/links");
  await page.click("#prevented");
  await page.click("#route");
  assert.deepEqual((await told(2)).map(({ n, l }) => [n, l]), [["click", "Asked first"], ["click", "Route"]]);
});

test("buttons and marked elements are told by their label, other elements not at all, and scripts' clicks never", async () => {
  const { page, own, told, clicks } = await on("/buttons");
  for (const id of ["nothing", "plain", "aria", "role", "input", "marked", "written", "long"]) await page.click(`#${id}`);
  await page.click("#plain", { button: "right" });
  await page.click("#plain", { button: "middle" });
  await page.focus("#plain");
  await page.keyboard.press("Enter");
  await told(8);
  await collected.left(page, own);
  assert.deepEqual(clicks().map(({ el, l }) => [el, l]), [
    ["button", "Ask for a demonstration"], ["button", "Close the window"], ["div", "More"], ["input", "calculate"],
    ["div", "Gold"], ["div", ""], ["textarea", "message"], ["button", "Ask for a demonstration"],
  ]);
  assert.ok(!/A value|Ann/.test(JSON.stringify(clicks())), "never what stands in a field");
});

test("the mouse's rest of half a second or more on links and marked elements is told, a shorter one is not", async () => {
  const { page, own, told, clicks } = await on("/hover", /^hover$/);
  const rest = async (/** @type {string} */ selector, /** @type {number} */ ms) => {
    await page.hover(selector);
    await page.waitForTimeout(ms);
  };
  await rest("#link", 300);
  await page.hover("#link b");
  await page.waitForTimeout(300);
  await rest("#plain", 600);
  await rest("#marked", 600);
  await rest("#link", 100);
  await rest("#plain", 1);
  await told(2);
  await collected.left(page, own);
  assert.deepEqual(clicks().map(({ n, el, l }) => [n, el, l]), [["hover", "link", "Rested on"], ["hover", "div", "Prices"]]);
  for (const { d } of clicks()) assert.ok(d >= 500 && d < 2000, String(d));
});
