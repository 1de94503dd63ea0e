// What is ours in pages that frameworks and other scripts take for their own: React that has the whole document, routers that
// change the body, scripts that take the page's first form, policies that admit no text of which a script could come.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { eventually, startBrowser, startGateway, startThirdParty } from "./support.mjs";

const find = createRequire(import.meta.url);
const { renderToString } = find("react-dom/server");

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Awaited<ReturnType<typeof startThirdParty>>} */ let third;
/** @type {(() => unknown)[]} */ const stops = [];

before(async () => {
  browser = await startBrowser();
  third = await startThirdParty();
});

after(async () => {
  await browser?.close();
  third?.stop();
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  third.requests.length = 0;
});

/**
 * A visitor of a site of the test's own; `problems` is what the page's scripts complained of, `posted` what the site was sent.
 * @param {(path: string) => string} html of each page
 * @param {Record<string, string>} [headers]
 */
async function visitor(html, headers = {}) {
  /** @type {string[]} */ const problems = [];
  /** @type {string[]} */ const posted = [];
  const site = createServer((request, response) => {
    const url = request.url ?? "";
    if (request.method === "POST") posted.push(url);
    const script = SCRIPTS[url];
    response.setHeader("content-type", script ? "text/javascript" : "text/html; charset=utf-8");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(script?.() ?? html(url));
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  stops.push(() => site.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (site.address());
  const gateway = await startGateway(`http://127.0.0.1:${port}`, `[[tag]]\nhost = "${third.host}"\npurpose = "analytics"\n`);
  stops.push(gateway.stop);
  const context = await browser.newContext({ locale: "en-GB" });
  stops.push(() => context.close());
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  return { gateway, page, problems, posted };
}

/** What a module of React's is, by the name it is asked for. */
const REACT = { scheduler: "scheduler", react: "react", "react-dom": "react-dom", "react-dom/client": "react-dom-client" };

/** Scripts of the sites' own. @type {Record<string, (() => string) | undefined>} */
const SCRIPTS = {
  "/turbo.js": () => readFileSync(find.resolve("@hotwired/turbo").replace(/[^/]*$/, "turbo.es2017-umd.js"), "utf8"),
  "/react.js": () => {
    const file = (/** @type {string} */ name) =>
      path.join(path.dirname(find.resolve(`${name.split("/")[0]}/package.json`)), "cjs", `${REACT[/** @type {keyof REACT} */ (name)]}.production.js`);
    const modules = Object.keys(REACT).map((name) => `${JSON.stringify(name)}(module, exports, require) {${readFileSync(file(name), "utf8")}\n}`);
    return `const modules = {${modules}}, made = {};
const require = (name) => {
  if (!made[name]) modules[name]((made[name] = { exports: {} }), made[name].exports, require);
  return made[name].exports;
};
window.recovered = [];
const React = require("react");
require("react-dom/client").hydrateRoot(document, (${App})(React, location.pathname.slice(1)), { onRecoverableError: (error) => recovered.push(error.message) });`;
  },
};

/**
 * A whole document as React writes it, and has it written again where it finds something else there.
 * @param {any} React
 * @param {string} first the body's first element
 */
function App({ createElement: make, useState }, first) {
  const Counter = () => {
    const [count, set] = useState(0);
    return make("button", { id: "count", onClick: () => set(count + 1) }, `pressed ${count}`);
  };
  return make(
    "html",
    { lang: "en" },
    make("head", null, make("meta", { charSet: "utf-8" }), make("title", null, "A page")),
    make("body", { className: "site" }, make(first, { id: "theirs", className: "theirs" }, "Theirs"), make("main", null, make(Counter))),
  );
}

/** @param {import("playwright-core").Page} page how often our parts are there */
const parts = (page) =>
  page.evaluate(() => ["#consentry-banner", "#consentry-corner"].map((part) => document.querySelectorAll(part).length));

for (const first of ["nav", "section", "form", "div"]) {
  test(`React that has the whole document, its body beginning with <${first}>, finds it as it wrote it`, async () => {
    const tag = `<script src="${third.origin}/tag.js"></script>`;
    const { gateway, page, problems } = await visitor((url) =>
      `<!DOCTYPE html>${renderToString(App(find("react"), url.slice(1)))}`.replace("</head>", `${tag}</head>`).replace("</body>", `<script async src="/react.js"></script></body>`),
    );
    for (const chosen of [false, true]) {
      await page.goto(`${gateway.address}/${first}`);
      await page.waitForFunction(() => "recovered" in window);
      await page.locator("#count").click();
      await page.getByText("pressed 1").waitFor();
      assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).recovered), []);
      assert.deepEqual(await parts(page), chosen ? [0, 1] : [1, 1]);
      assert.deepEqual(third.requests, [], "what is refused stays inert");
      if (!chosen) await page.getByRole("button", { name: "Reject all" }).click();
      await page.getByRole("link", { name: "Your privacy choices" }).waitFor();
    }
    assert.deepEqual(problems, []);
  });
}

test("no text of ours stands in the page's head or body, or between them", async () => {
  const { gateway, page } = await visitor((url) => `<!doctype html><html lang="${url.slice(1)}"><head><title>A page</title></head><body><p>A</p></body></html>`);
  for (const language of ["en", "de", "pl"]) {
    await page.goto(`${gateway.address}/${language}`);
    const texts = await page.evaluate(() =>
      [document.documentElement, document.head, document.body].flatMap((one) => [...one.childNodes].filter((node) => node.nodeType !== Node.ELEMENT_NODE).length),
    );
    assert.deepEqual(texts, [0, 0, 0], language);
  }
});

test("a router that changes the body leaves banner and link, and an answer stays an answer", async () => {
  const { gateway, page, problems } = await visitor((url) =>
    `<!doctype html><html lang="en"><head><title>${url}</title><script src="/turbo.js" defer></script></head><body><h1>${url}</h1><a href="${url}+">next</a></body></html>`,
  );
  /** @param {string} url */
  const arrived = async (url) => {
    await page.getByRole("heading", { name: url, exact: true }).waitFor();
    await page.locator("#consentry-corner").waitFor({ state: "attached" });
  };
  await page.goto(`${gateway.address}/a`);
  await page.evaluate(() => Object.assign(window, { kept: true }));
  await page.getByRole("link", { name: "next" }).click();
  await arrived("/a+");
  assert.deepEqual(await parts(page), [1, 1]);
  await page.goBack();
  await arrived("/a");
  assert.deepEqual(await parts(page), [1, 1], "a page it has kept has them once");
  await page.getByRole("link", { name: "next" }).click();
  await arrived("/a+");
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  for (const next of ["/a++", "/a+", "/a"]) {
    if (next === "/a++") await page.getByRole("link", { name: "next" }).click();
    else await page.goBack();
    await arrived(next);
    assert.deepEqual(await parts(page), [0, 1], next);
    await page.getByRole("link", { name: "Your privacy choices" }).waitFor();
  }
  assert.equal(await page.evaluate(() => "kept" in window), true, "it was one page all the while");
  assert.deepEqual(problems, []);
});

test("a router does not show the visitor's pages within one of the site's", async () => {
  const { gateway, page } = await visitor((url) =>
    `<!doctype html><html lang="en"><head><title>${url}</title><script src="/turbo.js" defer></script></head><body><h1>${url}</h1><a href="/_privacy/" data-consentry-choices>Theirs</a></body></html>`,
  );
  for (const name of ["Manage choices", "Theirs"]) {
    await page.goto(`${gateway.address}/a`);
    await page.waitForFunction(() => "consentry" in window && "Turbo" in window);
    await page.evaluate(() => Object.assign(window, { kept: true }));
    await page.getByRole("link", { name }).click();
    await page.getByRole("heading", { name: "Privacy choices", level: 1 }).waitFor();
    assert.equal(await page.evaluate(() => "kept" in window), false, name);
    assert.deepEqual(await parts(page), [0, 0]);
  }
});

const PLAIN = `<!doctype html><html lang="en"><head><title>A page</title></head><body><a href="#main" id="skip">Skip</a><input id="theirs"><h1>A page</h1></body></html>`;

test("a document that is written anew has the banner as it was, style and all", async () => {
  const { gateway, page } = await visitor(() => PLAIN);
  await page.goto(`${gateway.address}/`);
  const banner = page.locator("#consentry-banner");
  const before = await banner.boundingBox();
  // As React 18 does where it finds something in the document that it did not write.
  await page.evaluate(() => {
    document.removeChild(document.documentElement);
    const html = document.appendChild(document.createElement("html"));
    html.append(document.createElement("head"), document.createElement("body"));
    document.body.innerHTML = `<a href="#main" id="skip">Skip</a><h1>Anew</h1>`;
  });
  await banner.waitFor();
  assert.deepEqual(await banner.boundingBox(), before);
  await page.waitForFunction(() => getComputedStyle(document.documentElement).paddingBottom !== "0px");
  assert.equal(await page.evaluate(() => document.body.children[1].localName), "consentry-ui", "after the skip link");
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
});

test("what is put back takes the focus from nobody", async () => {
  const { gateway, page } = await visitor(() => PLAIN);
  await page.goto(`${gateway.address}/`);
  await page.locator("#theirs").focus();
  for (const gone of ["consentry-ui", "#consentry-banner", "#consentry-corner"]) {
    await page.evaluate((gone) => document.querySelector(gone)?.remove(), gone);
    await page.locator("#consentry-banner").waitFor();
    await page.waitForFunction(() => document.querySelector("#consentry-corner"));
    assert.equal(await page.evaluate(() => document.activeElement?.id), "theirs", gone);
  }
});

test("a site that takes them away each time has its way in the end", async () => {
  const { gateway, page } = await visitor(() => PLAIN);
  await page.goto(`${gateway.address}/`);
  await page.evaluate(() => {
    const count = Object.assign(window, { taken: 0 });
    const take = () => {
      const [ours] = document.getElementsByTagName("consentry-ui");
      if (ours) count.taken++;
      ours?.remove();
    };
    new MutationObserver(take).observe(document.body, { childList: true });
    take();
  });
  await page.waitForFunction(() => /** @type {any} */ (window).taken > 15);
  const taken = () => page.evaluate(() => /** @type {any} */ (window).taken);
  await eventually(async () => {
    const earlier = await taken();
    await page.waitForTimeout(1000);
    return earlier === (await taken());
  }, "nothing is put back any more");
  assert.ok((await taken()) < 30, `${await taken()} times`);
});

/** A site's contact form. @param {string} script */
const contact = (script) =>
  `<!doctype html><html lang="en"><head><title>A page</title></head><body><form id="contact" action="/thanks" method="post"><input name="mail"><button id="send">Send</button></form><script>${script}</script></body></html>`;

test("a script that takes every form and every press for its own takes no choice", async () => {
  const stop = `(event) => { event.preventDefault(); event.stopImmediatePropagation(); fetch("/theirs", { method: "POST" }); }`;
  const { gateway, page, posted } = await visitor(() =>
    contact(`document.querySelectorAll("form").forEach((form) => form.addEventListener("submit", ${stop}));
      document.addEventListener("submit", ${stop}, true); document.addEventListener("click", ${stop}, true);`),
  );
  await page.goto(`${gateway.address}/`);
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  assert.equal((await (await page.request.get(`${gateway.address}/_privacy/consent`)).json()).chosen, true);
  await page.locator("#send").click();
  await eventually(async () => posted.includes("/theirs"), "its own form is its own still");
});

test("the page's first form is the site's", async () => {
  const { gateway, page } = await visitor(() =>
    contact(`addEventListener("DOMContentLoaded", () => Object.assign(window, { found: [document.querySelector("form").id, document.forms[0].id, document.forms.length] }))`),
  );
  await page.goto(`${gateway.address}/`);
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).found), ["contact", "contact", 1]);
  assert.equal(await page.locator("#consentry-banner").isVisible(), true);
});

test("where a page demands Trusted Types, what is permitted begins with the page come anew", async () => {
  const html = `<!doctype html><html lang="en"><head><title>A page</title><script src="${third.origin}/tag.js"></script></head><body><p>A page</p></body></html>`;
  for (const press of [true, false]) {
    const { gateway, page, problems } = await visitor(() => html, { "content-security-policy": "require-trusted-types-for 'script'" });
    await page.goto(`${gateway.address}/`);
    if (press) await page.getByRole("button", { name: "Accept all" }).click();
    else assert.equal(await page.evaluate(() => /** @type {any} */ (window).consentry.set("accept").then((/** @type {any} */ state) => state.chosen)), true);
    await page.waitForFunction(() => "tagRan" in window);
    assert.deepEqual(await parts(page), [0, 1]);
    assert.deepEqual(problems, []);
    await page.evaluate(() => Object.assign(window, { kept: true }));
    await page.evaluate(() => /** @type {any} */ (window).consentry.set("accept"));
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate(() => "kept" in window), true, "once is enough");
  }
});

/** @param {string} body @param {string} [head] */
const of = (body, head = "") => `<!doctype html><html lang="en"><head><title>A page</title>${head}</head><body>${body}</body></html>`;

/** @param {import("playwright-core").Page} page whether the banner lies above the page */
const above = (page) => page.locator("#consentry-banner").evaluate((banner) => banner.matches(":popover-open"));

/** @param {import("playwright-core").Page} page */
const rejects = async (page) => {
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
};

for (const [how, wrap] of /** @type {const} */ ([
  ["all elements at once", `wrap.append(...document.body.children); document.body.append(wrap);`],
  ["one node after the other", `while (document.body.firstChild) wrap.append(document.body.firstChild); document.body.append(wrap);`],
  ["and once more, deep within", `wrap.append(...document.body.children); document.body.append(wrap); const inner = document.createElement("div"); inner.append(...wrap.children); wrap.append(inner);`],
])) {
  test(`a script that wraps all of the page (${how}) leaves the banner above it`, async () => {
    const { gateway, page } = await visitor(() =>
      of(`<h1>A page</h1><p style="height: 3000px">Long</p><button id="wrap" onclick="const wrap = document.createElement('div'); wrap.style.transform = 'translateX(0)'; ${wrap.replaceAll('"', "'")}">Wrap</button>`),
    );
    await page.goto(`${gateway.address}/`);
    const banner = page.locator("#consentry-banner");
    const before = await banner.boundingBox();
    await page.evaluate(() => document.getElementById("wrap")?.click());
    await eventually(() => above(page), "it is above the page again");
    assert.deepEqual(await banner.boundingBox(), before);
    await rejects(page);
  });
}

test("a document that is opened anew has a banner that can be answered", async () => {
  const { gateway, page } = await visitor(() => PLAIN);
  await page.goto(`${gateway.address}/`);
  await page.evaluate(() => {
    document.open();
    document.write(`<!doctype html><html><head><title>Anew</title></head><body><h1>Anew</h1><button data-consentry-choices>Choices</button></body></html>`);
    document.close();
  });
  await eventually(() => above(page).catch(() => false), "it is there again");
  await rejects(page);
  await page.getByRole("button", { name: "Choices" }).click();
  await page.getByRole("heading", { name: "Privacy choices", level: 1 }).waitFor();
});

test("a router that makes the head anew leaves our style in it", async () => {
  const { gateway, page } = await visitor(() => PLAIN);
  await page.goto(`${gateway.address}/`);
  const padding = () => page.evaluate(() => getComputedStyle(document.documentElement).paddingBottom);
  const before = await padding();
  assert.notEqual(before, "0px");
  for (let time = 0; time < 3; time++) {
    await page.evaluate(() => document.head.querySelectorAll("link").forEach((link) => link.remove()));
    await eventually(async () => (await padding()) === before, "what is below the banner can be scrolled to");
  }
});

/** A dialog that needs all the page, and one within it. */
const DIALOGS = `<button id="open" onclick="theirs.showModal()">Open</button>
  <dialog id="theirs" style="position: fixed; inset: auto 0 0; transform: translateX(0); height: 12em; width: 20em"><p>Newsletter</p>
    <button id="more" onclick="inner.showModal()">More</button><dialog id="inner"><button id="less" onclick="inner.close()">Less</button></dialog>
    <button id="close" onclick="theirs.close()">No thanks</button></dialog>`;

/** @param {import("playwright-core").Page} page what holds all of ours */
const holder = (page) => page.evaluate(() => document.querySelector("consentry-ui")?.parentElement?.id || document.querySelector("consentry-ui")?.parentElement?.localName);

test("a dialog that makes all the page inert has the banner with it, which can be answered", async () => {
  for (const atOnce of [true, false]) {
    const { gateway, page } = await visitor(() => of(`${DIALOGS}${atOnce ? "<script>theirs.showModal()</script>" : ""}`));
    await page.goto(`${gateway.address}/`);
    if (!atOnce) await page.evaluate(() => document.getElementById("open")?.click());
    await eventually(() => above(page), "it is above the dialog");
    assert.equal(await holder(page), "theirs");
    await rejects(page);
    await page.locator("#close").click();
    await page.getByRole("link", { name: "Your privacy choices" }).waitFor();
    assert.equal(await holder(page), "body");
  }
});

test("the banner follows the dialog that was opened last, and comes back with it", async () => {
  const { gateway, page } = await visitor(() => of(DIALOGS));
  await page.goto(`${gateway.address}/`);
  /** @param {string} what @param {string} where */
  const does = async (what, where) => {
    await page.evaluate((what) => document.getElementById(what)?.click(), what);
    await eventually(async () => (await holder(page)) === where && (await above(page)), `${what}: ${where}`);
    assert.equal(await page.evaluate(() => {
      const { x, y, width, height } = /** @type {Element} */ (document.querySelector("button[value=accept]")).getBoundingClientRect();
      return document.elementFromPoint(x + width / 2, y + height / 2)?.getAttribute("value");
    }), "accept", "it can be pressed");
  };
  await does("open", "theirs");
  await does("more", "inner");
  await does("less", "theirs");
  await does("close", "body");
  await does("open", "theirs");
  await page.evaluate(() => document.getElementById("theirs")?.remove());
  await eventually(async () => (await holder(page)) === "body" && (await above(page)), "who takes the dialog away does not take the banner");
  await rejects(page);
});

test("a script that makes all beside its dialog inert does not do so to the banner", async () => {
  const { gateway, page } = await visitor(() => of(`<h1>A page</h1><div id="theirs" role="dialog"><button id="close">Close</button></div>`));
  await page.goto(`${gateway.address}/`);
  await page.evaluate(() => {
    for (const one of document.body.children) {
      if (one.id === "theirs") continue;
      one.setAttribute("inert", "");
      one.setAttribute("aria-hidden", "true");
    }
  });
  await rejects(page);
  assert.equal(await page.evaluate(() => document.querySelector("h1")?.inert), true);
});
