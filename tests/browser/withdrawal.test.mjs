// C6 in a real browser: after the one answer that carries a withdrawal the jar holds nothing any more that is not permitted,
// wherever it was set. The jar is read past the page, with every path, domain and partition.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { startBrowser, startGateway } from "./support.mjs";

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {(() => unknown)[]} */ const stops = [];

before(async () => {
  browser = await startBrowser({
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--host-resolver-rules=MAP *.shop.test 127.0.0.1, MAP *.localhost 127.0.0.1"],
  });
});

after(() => browser?.close());

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const NAMES = ["s_root", "s_parent", "s_shop", "s_deep", "s_part", "j_root", "j_shop", "j_default", "j_parent", "j_late"];
const CONFIGURATION = `[[cookie]]\nname = "session"\npurpose = "necessary"\n${NAMES.map(
  (name, i) => `[[cookie]]\nname = "${name}"\npurpose = "${["analytics", "marketing", "preferences"][i % 3]}"\n`,
).join("")}`;

/** A shop that sets cookies out of scripts' reach at the top, on paths and for its parent domain. */
async function startShop() {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0];
    const lines = ["session=1; Path=/; HttpOnly", "s_root=1; Path=/; HttpOnly", "s_parent=1; Domain=shop.test; HttpOnly"];
    if (path.startsWith("/shop")) lines.push("s_shop=1; Path=/shop; HttpOnly");
    if (path === "/shop/basket/pay") lines.push("s_deep=1; HttpOnly");
    if (path === "/part") lines.push("s_part=1; Path=/part; Secure; HttpOnly; Partitioned; SameSite=None");
    response.setHeader("set-cookie", lines);
    response.setHeader("content-type", "text/html; charset=utf-8");
    // With an icon of its own: a browser that asks for one does so when it likes, and its answer would set cookies after a withdrawal.
    response.end(`<!doctype html><html lang="en-GB"><head><title>Shop</title><link rel="icon" href="data:,"></head><body><h1>${path}</h1></body></html>`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => server.close());
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
}

/**
 * A visitor of a shop behind a gateway.
 * @param {string} host without port
 * @param {boolean} [tls] whether a proxy in front says that the visitor came over TLS
 */
async function visitor(host, tls = false) {
  const gateway = await startGateway(await startShop(), CONFIGURATION, tls ? { CONSENTRY__GATEWAY__TRUSTED_PROXIES: '["127.0.0.1"]' } : {});
  stops.push(gateway.stop);
  const port = tls ? await startTlsProxy(gateway.address) : new URL(gateway.address).port;
  const context = await browser.newContext({ locale: "en-GB" });
  stops.push(() => context.close());
  const page = await context.newPage();
  const browserSession = await context.newCDPSession(page);
  return {
    page,
    at: `http://${host}:${port}`,
    /** Names with domain and path, as the browser keeps them. */
    async jar() {
      const { cookies } = await browserSession.send("Network.getAllCookies");
      return cookies.map((cookie) => `${cookie.name} ${cookie.domain}${cookie.path}`).sort();
    },
    withoutScripts: () => browserSession.send("Emulation.setScriptExecutionDisabled", { value: true }),
  };
}

/** Stands for what ends TLS before the gateway. @param {string} gateway */
async function startTlsProxy(gateway) {
  const server = createServer((request, response) => {
    const headers = { ...request.headers, "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1" };
    const onward = ask(new URL(request.url ?? "/", gateway), { method: request.method, headers }, (given) => {
      response.writeHead(given.statusCode ?? 0, given.headers);
      given.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => server.close());
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

/**
 * Accepts, visits the shop and has scripts set cookies of their own there.
 * @param {Awaited<ReturnType<typeof visitor>>} visitor
 */
async function accepts({ page, at, jar }) {
  await page.goto(`${at}/`);
  assert.deepEqual((await jar()).filter((cookie) => !cookie.startsWith("session ")), [], "nothing before the choice");
  await page.getByRole("button", { name: "Accept all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  await page.goto(`${at}/`);
  await page.goto(`${at}/shop/item`);
  await page.evaluate(() => {
    document.cookie = "j_root=1; path=/; max-age=999";
    document.cookie = "j_shop=1; path=/shop/; max-age=999";
    document.cookie = "j_default=1; max-age=999";
    document.cookie = "j_parent=1; path=/; domain=shop.test; max-age=999";
  });
  await page.goto(`${at}/shop/basket/pay`);
  await page.goto(`${at}/shop/other`);
}

const SET = [
  "j_default www.shop.test/shop",
  "j_parent .shop.test/",
  "j_root www.shop.test/",
  "j_shop www.shop.test/shop/",
  "s_deep www.shop.test/shop/basket",
  "s_parent .shop.test/",
  "s_parent .shop.test/shop",
  "s_parent .shop.test/shop/basket",
  "s_root www.shop.test/",
  "s_shop www.shop.test/shop",
  "session www.shop.test/",
];

/** @param {string[]} jar */
const ofTheShop = (jar) => jar.filter((cookie) => !cookie.startsWith("consentry"));

test("rule_c6_the_form_without_javascript_empties_the_jar_in_one_navigation", async () => {
  const shopper = await visitor("www.shop.test");
  await accepts(shopper);
  assert.deepEqual(ofTheShop(await shopper.jar()), SET);
  await shopper.page.goto(`${shopper.at}/_privacy/`);
  await shopper.withoutScripts();
  await shopper.page.getByRole("button", { name: "Withdraw all consent" }).click();
  await shopper.page.getByRole("heading", { name: "Your choices are saved" }).waitFor();
  assert.deepEqual(await shopper.jar(), ["consentry www.shop.test/", "consentry_choice www.shop.test/", "session www.shop.test/"]);
});

test("rule_c6_a_choice_made_by_script_empties_the_jar_too", async () => {
  const shopper = await visitor("www.shop.test");
  await accepts(shopper);
  assert.deepEqual(ofTheShop(await shopper.jar()), SET);
  const status = await shopper.page.evaluate(async () => {
    // One that no request has carried yet, and a folder the gateway has not seen it in.
    document.cookie = "j_late=1; max-age=999";
    const body = JSON.stringify({ choice: "reject", source: "banner" });
    const answer = await fetch("/_privacy/consent", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return answer.status;
  });
  assert.equal(status, 200);
  assert.deepEqual(await shopper.jar(), ["consentry www.shop.test/", "consentry_choice www.shop.test/", "session www.shop.test/"]);
});

test("rule_c6_what_is_withdrawn_alone_goes_alone", async () => {
  const shopper = await visitor("www.shop.test");
  await accepts(shopper);
  await shopper.page.evaluate(() =>
    fetch("/_privacy/consent", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ granted: ["analytics", "preferences"] }) }),
  );
  const gone = NAMES.filter((_, i) => i % 3 === 1);
  const kept = SET.filter((cookie) => !gone.includes(cookie.split(" ")[0]));
  assert.deepEqual(ofTheShop(await shopper.jar()), kept);
});

test("rule_c6_what_escaped_goes_with_the_next_page_that_sends_it", async () => {
  const shopper = await visitor("www.shop.test");
  const { page, at } = shopper;
  await page.goto(`${at}/`);
  await page.getByRole("button", { name: "Reject all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  await page.goto(`${at}/far/away/place`);
  // As a script that heeds nobody does: for folders nobody knows of, for the parent domain, and undeclared.
  await page.evaluate(() => {
    document.cookie = "j_shop=1; path=/far/away/; max-age=999";
    document.cookie = "j_default=1; max-age=999";
    document.cookie = "j_parent=1; path=/far; domain=shop.test; max-age=999";
    document.cookie = "undeclared=1; path=/far/away/place; max-age=999";
  });
  assert.equal(ofTheShop(await shopper.jar()).length, 5);
  await page.goto(`${at}/elsewhere`);
  assert.equal(ofTheShop(await shopper.jar()).length, 5, "nothing is sent there");
  await page.goto(`${at}/far/away/place`);
  const host = (await shopper.jar()).filter((cookie) => cookie.includes(" www."));
  assert.deepEqual(ofTheShop(host), ["session www.shop.test/"], "with one page those of the host itself");
  await page.goto(`${at}/far/away/place`);
  assert.deepEqual(ofTheShop(await shopper.jar()), ["session www.shop.test/"], "with the next those above it");
});

test("rule_c6_what_is_declared_and_what_has_no_name_goes_however_much_else_is_there", async () => {
  const shopper = await visitor("www.shop.test");
  const { page, at } = shopper;
  await accepts(shopper);
  const long = `l${"o".repeat(400)}ng`;
  const status = await page.evaluate(async (long) => {
    for (let i = 0; i < 45; i++) document.cookie = `u${i}=1; path=/; max-age=999`;
    document.cookie = "=nameless; path=/; max-age=999";
    document.cookie = "=above; path=/; domain=shop.test; max-age=999";
    document.cookie = `${long}=1; path=/; max-age=999`;
    // Sent last: a browser sends the oldest first.
    document.cookie = "j_late=1; path=/; max-age=999";
    const body = JSON.stringify({ choice: "reject", source: "banner" });
    const answer = await fetch("/_privacy/consent", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return answer.status;
  }, long);
  assert.equal(status, 200);
  const left = ofTheShop(await shopper.jar()).filter((cookie) => !cookie.startsWith("session "));
  assert.deepEqual(left.filter((cookie) => !/^(u\d|long|lo)/.test(cookie)), [], "what is declared, and what has no name");
  assert.ok(left.length < 45, `some of what is not declared too: ${left.length} are left`);
  // The rest goes with the next pages, a few with each.
  for (let i = 0; i < 8; i++) await page.goto(`${at}/`);
  assert.deepEqual(ofTheShop(await shopper.jar()), ["session www.shop.test/"]);
});

test("rule_c6_a_cookie_in_a_partition_goes_too", async () => {
  const shopper = await visitor("www.localhost", true);
  const { page, at } = shopper;
  await page.goto(`${at}/`);
  await page.getByRole("button", { name: "Accept all" }).click();
  await page.getByText("Your choice is saved.").waitFor();
  await page.goto(`${at}/part`);
  assert.ok((await shopper.jar()).includes("s_part www.localhost/part"), String(await shopper.jar()));
  await page.goto(`${at}/_privacy/`);
  await page.getByRole("button", { name: "Withdraw all consent" }).click();
  await page.getByRole("heading", { name: "Your choices are saved" }).waitFor();
  assert.deepEqual(await shopper.jar(), ["__Host-consentry www.localhost/", "consentry_choice www.localhost/", "session www.localhost/"]);
});
