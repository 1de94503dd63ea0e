// What comes to life and what does not: what visitors wrote on a site, pieces that scripts fetch, sites that trust no strings,
// pages that a service worker passes on.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway } from "./support.mjs";

/** A third party; nothing is ever asked of it, as the tests answer in its place. */
const TAGS = "https://tags.example";
const SCRIPT = `parent.stolen=1`;
const WRITTEN = `data-consentry-purpose="analytics" data-consentry-srcdoc="&lt;script>${SCRIPT}&lt;/script>"`;

/** Pages by their path: what stands in the body, and fields of the head. @type {Record<string, { body: string, head?: string, policy?: string, type?: string }>} */
const PAGES = {
  // What a visitor writes where frames of other hosts are allowed.
  "/written": {
    body: `<iframe id="theirs" src="about:blank" ${WRITTEN}></iframe>
      <iframe id="gated" ${WRITTEN} data-consentry-key="guess" DATA-CONSENTRY-SRCDOC="&lt;script>${SCRIPT}&lt;/script>" src="${TAGS}/frame"></iframe>
      <p data-consentry-banner="" data-consentry-key="guess"></p>
      <script id="data" type="application/json" data-consentry-purpose="analytics" data-consentry-src="${TAGS}/theirs.js" data-consentry-type="text/javascript">{}</script>
      <object id="object" data-consentry-purpose="analytics" data-consentry-data="/page"></object>`,
  },
  "/srcdoc": { body: `<iframe id="own" srcdoc="<script src='${TAGS}/framed.js'></script>"></iframe>` },
  "/fetching": { body: `<div id="into"></div>` },
  "/piece": {
    type: "text/vnd.turbo-stream.html",
    body: `<img src="${TAGS}/a.png"><iframe srcdoc="<script src='${TAGS}/framed.js'></script>"></iframe>`,
  },
  "/trusted": { policy: "require-trusted-types-for 'script'", body: "" },
  "/named": { policy: "require-trusted-types-for 'script'; trusted-types 'none'", body: "" },
  "/meta": { head: `<meta http-equiv="Content-Security-Policy" content="require-trusted-types-for 'script'; trusted-types 'none'">`, body: "" },
  "/worked": { body: "" },
  "/late": {
    body: `<div id="kept"><iframe src="${TAGS}/kept"></iframe><script src="${TAGS}/kept.js"></script></div>
      <template id="template"><iframe src="${TAGS}/cloned"></iframe><script src="${TAGS}/cloned.js"></script></template>
      <div id="card"><template shadowrootmode="open"><p><img src="${TAGS}/shadow.png"><script src="${TAGS}/shadow.js"></script></p></template></div>`,
  },
  "/twice": { body: `<script src="${TAGS}/framework.js"></script><script src="${TAGS}/same.js"></script><script src="${TAGS}/same.js"></script>` },
  // As such snippets are written: the script makes the one that loads.
  "/inline": {
    body: `<script>window.own=1</script>
      <script id="loader">!function(d,s){s=d.createElement("script");s.async=1;s.src="${TAGS}/pixel.js";d.head.append(s)}(document);window.fbq=function(){};fbq("init")</script>
      <script type="application/json" id="words">{"fbq(": 1}</script>`,
  },
};
const TAG = `<script src="${TAGS}/tag.js" onload="window.heard=1" async></script><iframe srcdoc="<script src='${TAGS}/framed.js'></script>"></iframe>`;

const WORKER = `addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(fetch(event.request)));`;

/** @type {import("node:http").Server} */ let server;
/** @type {import("./support.mjs").Gateway} */ let gateway;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").BrowserContext[]} */ let contexts = [];
/** Of the site's pages. @type {string[]} */ const asked = [];

before(async () => {
  server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0];
    if (path === "/worker.js") return void response.setHeader("content-type", "text/javascript").end(WORKER);
    const { body, head = "", policy, type = "text/html" } = PAGES[path] ?? { body: "" };
    asked.push(path);
    response.setHeader("content-type", `${type}; charset=utf-8`);
    if (policy) response.setHeader("content-security-policy", policy);
    const tag = /trusted|named|meta/.test(path) ? TAG : "";
    response.end(type === "text/html" ? `<!doctype html><html lang="en"><head>${head}<title>A page</title></head><body>${body}${tag}</body></html>` : body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  gateway = await startGateway(`http://127.0.0.1:${port}`, `[[tag]]\nhost = "tags.example"\ninline = ["fbq("]\npurpose = "analytics"\n`);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  server?.close();
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

/** A page, and what it asked of the third party. @param {string} path */
async function visitor(path) {
  const context = await browser.newContext({ locale: "en-GB" });
  contexts.push(context);
  /** @type {string[]} */
  const loaded = [];
  await context.route(`${TAGS}/*`, (route) => {
    loaded.push(new URL(route.request().url()).pathname);
    return route.fulfill({ contentType: "text/javascript", body: `top.ran = (top.ran ?? 0) + 1` });
  });
  const page = await context.newPage();
  await page.goto(`${gateway.address}${path}`);
  assert.equal(loaded.length, 0, "nothing loads before the choice");
  const accept = async () => {
    await page.getByRole("button", { name: "Accept all" }).click();
    await page.locator("#consentry-banner").waitFor({ state: "detached" });
  };
  return { page, loaded, accept };
}

test("a frame's document, a script and an object that visitors wrote stay asleep", async () => {
  const { page, loaded, accept } = await visitor("/written");
  await accept();
  await eventually(async () => loaded.includes("/frame"), "what the gateway took is given back");
  await page.waitForTimeout(300);
  assert.deepEqual(loaded, ["/frame"]);
  assert.equal(await page.evaluate(() => "stolen" in window), false);
  assert.deepEqual(await page.locator("iframe").evaluateAll((frames) => frames.map((frame) => frame.hasAttribute("srcdoc"))), [false, false]);
  assert.equal(await page.locator("#data").getAttribute("type"), "application/json");
  assert.equal(await page.locator("#object").getAttribute("data"), null);
});

test("rule_k4_a_script_in_the_page_that_loads_another_sleeps_until_it_is_allowed", async () => {
  const { page, loaded, accept } = await visitor("/inline");
  await page.waitForTimeout(300);
  assert.deepEqual(await page.evaluate(() => ["own" in window, "fbq" in window]), [true, false]);
  assert.equal(await page.locator("#words").getAttribute("type"), "application/json");
  await accept();
  await eventually(async () => loaded.includes("/pixel.js"), "it loads what it is there to load");
  assert.equal(await page.evaluate(() => "fbq" in window), true);
  assert.equal(await page.locator("#loader").getAttribute("type"), null);
});

test("a frame's document that the gateway took comes to life", async () => {
  const { loaded, accept } = await visitor("/srcdoc");
  await accept();
  await eventually(async () => loaded.includes("/framed.js"), "the frame has its document");
});

test("of a piece that a script fetched comes to life what is only seen", async () => {
  const { page, loaded, accept } = await visitor("/fetching");
  await page.evaluate(async () => {
    const answer = await fetch("/piece", { headers: { accept: "text/vnd.turbo-stream.html, text/html" } });
    /** @type {HTMLElement} */ (document.getElementById("into")).innerHTML = await answer.text();
  });
  assert.equal(await page.locator("#into [data-consentry-purpose]").count(), 2);
  await accept();
  await eventually(async () => loaded.includes("/a.png"), "the image");
  await page.waitForTimeout(300);
  assert.deepEqual(loaded, ["/a.png"]);
});

for (const [path, what] of /** @type {const} */ ([
  ["/trusted", "takes no strings"],
  ["/named", "trusts no policy"],
])) {
  test(`tags come alive without a new page where the site ${what}`, async () => {
    const { page, loaded, accept } = await visitor(path);
    await page.evaluate(() => Object.assign(window, { kept: true }));
    await accept();
    await eventually(() => page.evaluate(() => /** @type {any} */ (window).ran === 2 && "heard" in window), "both tags have run, and who listens has heard");
    assert.equal(await page.evaluate(() => "kept" in window), true, "it is the same page");
    assert.equal(await page.locator("[data-consentry-collector]").count(), 1);
    assert.deepEqual(loaded.sort(), ["/framed.js", "/tag.js"]);
  });
}

test("the page comes anew where the site trusts no policy and says so in the page", async () => {
  const { page, accept } = await visitor("/meta");
  await accept();
  await eventually(() => page.evaluate(() => /** @type {any} */ (window).ran >= 1).catch(() => false), "the page has come with its tags");
  const before = asked.filter((path) => path === "/meta").length;
  await page.waitForTimeout(500);
  assert.equal(asked.filter((path) => path === "/meta").length, before, "and not again");
});

test("a page that a service worker passes on asks as any other", async () => {
  const { page } = await visitor("/worked");
  await page.evaluate(async () => {
    const taken = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve));
    await navigator.serviceWorker.register("/worker.js");
    await taken;
  });
  await page.reload();
  assert.equal(await page.evaluate(() => Boolean(navigator.serviceWorker.controller)), true);
  await page.getByRole("button", { name: "Reject all" }).waitFor();
});

test("what sleeps in a shadow root that the page declares comes to life", async () => {
  const { loaded, accept } = await visitor("/late");
  await accept();
  await eventually(async () => loaded.includes("/shadow.png") && loaded.includes("/shadow.js"), "image and script");
});

test("what comes into the page after the choice comes to life, by the same key alone", async () => {
  const { page, loaded, accept } = await visitor("/late");
  // As routers keep a page.
  await page.evaluate(() => Object.assign(window, { kept: document.getElementById("kept")?.cloneNode(true) }));
  await accept();
  await eventually(async () => loaded.includes("/kept.js"), "what was there");
  loaded.length = 0;
  await page.evaluate((written) => {
    document.getElementById("kept")?.replaceWith(/** @type {any} */ (window).kept);
    document.body.append(/** @type {HTMLTemplateElement} */ (document.getElementById("template")).content.cloneNode(true));
    document.body.insertAdjacentHTML("beforeend", written);
  }, `<iframe ${WRITTEN}></iframe><script type="text/plain" data-consentry-purpose="analytics" data-consentry-key="guess" data-consentry-src="${TAGS}/theirs.js"></script>`);
  await eventually(async () => ["/kept", "/kept.js", "/cloned", "/cloned.js"].every((path) => loaded.includes(path)), "what was kept, and what a template held");
  await page.waitForTimeout(300);
  assert.equal(loaded.includes("/theirs.js"), false);
  assert.equal(await page.evaluate(() => "stolen" in window), false);
});

test("what comes into the page after a refusal sleeps", async () => {
  const { page, loaded } = await visitor("/late");
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.locator("#consentry-banner").waitFor({ state: "detached" });
  await page.evaluate(() => document.body.append(/** @type {HTMLTemplateElement} */ (document.getElementById("template")).content.cloneNode(true)));
  await page.waitForTimeout(300);
  assert.deepEqual(loaded, []);
});

test("a script that a framework has added by itself is not started a second time", async () => {
  const { page, loaded, accept } = await visitor("/twice");
  await page.evaluate((src) => document.head.append(Object.assign(document.createElement("script"), { src })), `${TAGS}/framework.js`);
  await eventually(async () => loaded.includes("/framework.js"), "the framework's");
  await accept();
  await eventually(() => page.evaluate(() => /** @type {any} */ (window).ran === 3), "and one that the page has twice is started twice");
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).ran), 3);
});
