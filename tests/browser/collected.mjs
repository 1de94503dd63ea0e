// Where the collector's tests happen: a site of pages by the test, the real gateway before it, and a wire between that notes
// what collectors send.
import { once } from "node:events";
import { createServer } from "node:http";
import { eventually, startBrowser, startGateway, startWire } from "./support.mjs";

/** @typedef {{ n: string, u: string, p: string, i: string, [field: string]: any }} Sent an event as the collector sent it */
/** @typedef {import("playwright-core").Page} Tab */

export const EVERYTHING =
  "hover titles hash login timings vitals engagement clicks downloads outbound forms contacts errors device plugins";

/**
 * @typedef {object} Content of a page: what stands in its body and head, its status and its own headers
 * @property {string} [body]
 * @property {string} [head]
 * @property {number} [status]
 * @property {string} [type]
 * @property {Record<string, string>} [headers]
 * @property {Promise<void>} [until] when it is answered
 */

/**
 * @param {Record<string, Content | string>} pages by path; a path that ends in `*` is for all below
 * @param {object} [how]
 * @param {string} [how.options] what is collected
 * @param {string} [how.configuration] more TOML, within `[capture]` first
 * @param {(path: string) => number | undefined} [how.answer] a status in place of the gateway's answer
 */
export async function startCollected(pages, { options = EVERYTHING, configuration = "", answer } = {}) {
  const site = createServer(async (request, response) => {
    const path = (request.url ?? "/").split("?")[0];
    const below = Object.keys(pages).find((name) => name.endsWith("*") && path.startsWith(name.slice(0, -1)));
    const found = pages[path] ?? (below ? pages[below] : undefined);
    const page = typeof found === "string" ? { body: found } : found ?? {};
    await page.until;
    response.writeHead(page.status ?? 200, { "content-type": page.type ?? "text/html; charset=utf-8", ...page.headers });
    response.end(page.type ? page.body : `<!doctype html><html lang="en-GB"><head><meta charset="utf-8"><title>${path}</title>${page.head ?? ""}</head>
<body><h1>${path}</h1>${page.body ?? ""}</body></html>`);
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (site.address());
  const collect = `[capture]\ncollect = ${JSON.stringify(options.split(" "))}\n`;
  const gateway = await startGateway(`http://127.0.0.1:${port}`, collect + configuration);
  const wire = await startWire(gateway.address, { answer });
  // Playwright switches the back/forward cache off; visitors have it.
  const browser = await startBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  /** @type {import("playwright-core").BrowserContext[]} */
  const contexts = [];
  let visits = 0;

  const beacons = () => wire.passed.filter(({ path }) => path === "/_privacy/events");
  /** What was sent of pages whose path begins so. @param {string} [path] @param {string} [name] @returns {Sent[]} */
  const sent = (path = "/", name) =>
    beacons().flatMap(({ body }) => JSON.parse(body).events.filter((/** @type {Sent} */ { n, u }) => u.startsWith(path) && (!name || n === name)));

  return {
    gateway, wire, browser, beacons, sent,
    address: wire.address,
    /** A visitor who has allowed analytics, or not yet. @param {{ asked?: boolean, context?: import("playwright-core").BrowserContextOptions }} [how] */
    async visitor({ asked = true, context: more } = {}) {
      const context = await browser.newContext({ timezoneId: "Europe/London", locale: "en-GB", ...more });
      contexts.push(context);
      const page = await context.newPage();
      if (asked) {
        const headers = { "content-type": "application/json", origin: wire.address };
        const answer = await context.request.post(`${wire.address}/_privacy/consent`, { headers, data: { choice: "accept", source: "banner" } });
        if (!answer.ok()) throw new Error(`consent: ${answer.status()}`);
      }
      return { context, page };
    },
    /** Goes there, under a query of its own, and waits until the collector runs. @param {Tab} page @param {string} path @returns {Promise<string>} the path with its query */
    async visit(page, path) {
      const own = `${path}?visit=${++visits}.`;
      await page.goto(`${wire.address}${own}`);
      await page.waitForFunction(() => "consentry" in window);
      return own;
    },
    /** The first event of that name and path, once it was sent. @param {string} path @param {string} name */
    told: (path, name) => eventually(async () => sent(path, name)[0], `${name} of ${path}`),
    /** Leaves the page, so that all that waits is sent, and answers with the last event. @param {Tab} page @param {string} path @returns {Promise<Sent>} */
    async left(page, path) {
      const before = sent(path, "engagement").length;
      await page.goto("about:blank");
      return eventually(async () => sent(path, "engagement")[before], `${path} was left`).then(() => sent(path, "engagement")[before]);
    },
    /** After each test. */
    async clear() {
      for (const context of contexts.splice(0)) await context.close();
      wire.passed.length = 0;
    },
    async stop() {
      await browser.close();
      wire.stop();
      await gateway.stop();
      site.close();
    },
  };
}
