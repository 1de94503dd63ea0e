// The real binary, a site of the test's own behind it, and Debian's Chromium. Everything a test starts it stops.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = process.env.CONSENTRY_BINARY ?? path.join(ROOT, "target/debug/consentry");

/**
 * @typedef {object} Gateway
 * @property {string} address where visitors go, as a URL
 * @property {string} dashboard its URL
 * @property {string} password the dashboard's
 * @property {number} pid
 * @property {() => string} log
 * @property {(sql: string) => Promise<Record<string, any>[]>} query asks the database
 * @property {() => Promise<Buffer>} files every byte below the data folder
 * @property {(signal: NodeJS.Signals) => Promise<number | null>} end ends the process and answers with its exit code
 * @property {() => Promise<void>} stop ends the process and removes all it wrote
 */

/** The same on every page, or by its address. @typedef {string | ((url: string) => string)} Varying */

/**
 * A site: a few pages that set a cookie of their own and carry a third party's tag.
 * @param {string} [tag] the third party's origin
 * @param {{ headers?: Record<string, string>, head?: Varying, body?: Varying, lang?: Varying }} [more] of every page
 */
export async function startSite(tag, { headers = {}, head = "", body = "", lang = "en-GB" } = {}) {
  /** @type {{ method: string, url: string, headers: import("node:http").IncomingHttpHeaders }[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    requests.push({ method: request.method ?? "", url, headers: request.headers });
    /** @param {Varying} part */
    const of = (part) => (typeof part === "string" ? part : part(url));
    if (url === "/favicon.ico") return void response.writeHead(204).end();
    response.setHeader("set-cookie", ["site_region=north; Path=/", "undeclared=1; Path=/; HttpOnly"]);
    response.setHeader("content-type", "text/html; charset=utf-8");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(`<!doctype html><html lang="${of(lang)}"><head><meta charset="utf-8"><title>A page</title>
${tag ? `<script src="${tag}/tag.js"></script>` : ""}${of(head)}</head>
<body>${of(body)}<h1>${url.split("?")[0]}</h1><pre>Long.${"\n".repeat(200)}</pre><a href="/second">second</a></body></html>`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { origin: `http://127.0.0.1:${port}`, requests, stop: () => server.close() };
}

/** A third party whose tag leaves a cookie and calls home. */
export async function startThirdParty() {
  /** @type {string[]} */
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    response.setHeader("content-type", "text/javascript");
    response.end(`document.cookie = "_thirdparty=1; path=/"; window.tagRan = (window.tagRan ?? 0) + 1;`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}`, requests, stop: () => server.close() };
}

/**
 * Stands between the browser and the gateway and notes what passes: what a page sends while it goes away the browser
 * itself no longer tells of.
 * @param {string} gateway
 * @param {object} [how]
 * @param {(path: string) => number | undefined} [how.answer] a status in place of the gateway's answer
 */
export async function startWire(gateway, { answer } = {}) {
  /** @type {{ path: string, body: string, status: number, type: string }[]} */
  const passed = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = (request.url ?? "").split("?")[0];
    const noted = { path, body: Buffer.concat(chunks).toString(), status: 0, type: request.headers["content-type"] ?? "" };
    passed.push(noted);
    const own = answer?.(path);
    if (own) {
      noted.status = own;
      return void response.writeHead(own).end();
    }
    const onward = ask(new URL(request.url ?? "/", gateway), { method: request.method, headers: request.headers }, (given) => {
      noted.status = given.statusCode ?? 0;
      response.writeHead(noted.status, given.headers);
      given.pipe(response);
    });
    onward.on("error", () => response.destroy());
    onward.end(noted.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { address: `http://127.0.0.1:${port}`, passed, stop: () => server.close() };
}

/**
 * @param {string[]} args
 * @param {import("node:child_process").SpawnOptions} [options]
 */
function run(args, options) {
  return spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
}

/**
 * `consentry serve` in front of `upstream`.
 * @param {string} upstream
 * @param {string} [configuration] more TOML
 * @param {Record<string, string>} [environment]
 * @returns {Promise<Gateway>}
 */
export async function startGateway(upstream, configuration = "", environment = {}) {
  const dir = await mkdtemp(path.join(tmpdir(), "consentry-"));
  await writeFile(
    path.join(dir, "consentry.toml"),
    `data_dir = "data"\n[gateway]\nlisten = "127.0.0.1:0"\nupstream = "${upstream}"\n` +
      `[dashboard]\nlisten = "127.0.0.1:0"\n[geo]\ndatabase = "off"\n${configuration}`,
  );
  const child = run(["serve", "--json"], { cwd: dir, env: { ...process.env, ...environment } });
  return started(child, dir, ["--config", "consentry.toml"]);
}

/**
 * `consentry demo` on ports of the system's choice.
 * @returns {Promise<Gateway & { site: string }>}
 */
export async function startDemo() {
  const dir = await mkdtemp(path.join(tmpdir(), "consentry-"));
  const any = "127.0.0.1:0";
  const child = run(["demo", "--json", "--data-dir", "data", "--listen", any, "--dashboard", any, "--site", any], { cwd: dir });
  const demo = await started(child, dir, ["--data-dir", "data"]);
  return { ...demo, site: `http://${demo.site}` };
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {string} dir
 * @param {string[]} where how `consentry query` finds the same data
 * @returns {Promise<Gateway & { site: string }>} `site` as the process named it
 */
async function started(child, dir, where) {
  let log = "";
  child.stderr?.on("data", (text) => (log += text));
  const lines = createInterface({ input: /** @type {import("node:stream").Readable} */ (child.stdout) });
  const line = await Promise.race([once(lines, "line"), once(child, "exit")]);
  if (typeof line[0] !== "string") throw new Error(`consentry ended at once:\n${log}`);
  const ready = JSON.parse(line[0]);
  /** @param {NodeJS.Signals} signal */
  const end = async (signal) => {
    const ended = once(child, "exit");
    child.kill(signal);
    return (await ended)[0];
  };
  return {
    ...ready,
    address: `http://${ready.gateway}`,
    dashboard: `http://${ready.dashboard}`,
    pid: child.pid,
    log: () => log,
    /** @param {string} sql */
    async query(sql) {
      const query = run(["query", ...where, "--format", "JSONEachRow", sql], { cwd: dir });
      let [out, error] = ["", ""];
      query.stdout?.on("data", (text) => (out += text));
      query.stderr?.on("data", (text) => (error += text));
      const [code] = await once(query, "close");
      if (code !== 0) throw new Error(error);
      return out.split("\n").filter(Boolean).map((row) => JSON.parse(row));
    },
    /** Every byte that was written below the data folder. */
    async files() {
      const names = await readdir(path.join(dir, "data"), { recursive: true, withFileTypes: true });
      const files = names.filter((entry) => entry.isFile());
      return Buffer.concat(await Promise.all(files.map((f) => readFile(path.join(f.parentPath, f.name)).catch(() => Buffer.alloc(0)))));
    },
    end,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) await end("SIGTERM");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** @param {import("playwright-core").LaunchOptions} [options] */
export function startBrowser(options) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
    ...options,
  });
}

/**
 * @param {import("playwright-core").Page} page the dashboard, where it asks for the password
 * @param {string} password
 */
export async function signIn(page, password) {
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
}

/** Waits until every figure asked for has come. @param {import("playwright-core").Page} page the dashboard */
export const ready = (page) => page.locator("#dashboard:not([aria-busy]) #updated:not(:empty)").waitFor();

/**
 * A total's figure.
 * @param {import("playwright-core").Page} page the dashboard
 * @param {string} title
 */
export async function total(page, title) {
  const tile = page.locator(".tile-button", { hasText: title });
  return Number((await tile.locator(".tile-value").innerText()).replaceAll(",", ""));
}

/**
 * A card's rows: name, with what stands beside it, and visitors.
 * @param {import("playwright-core").Page} page the dashboard
 * @param {string} title
 * @returns {Promise<Record<string, number>>}
 */
export async function card(page, title) {
  const rows = page.getByRole("region", { name: title, exact: true }).locator(".row");
  const texts = await rows.evaluateAll((found) =>
    found.map((row) => [".row-name", ".row-value"].map((part) => row.querySelector(part)?.textContent ?? "")),
  );
  return Object.fromEntries(texts.map(([name, value]) => [name, Number(value.replaceAll(",", ""))]));
}

/**
 * A headless browser says that it is one, and programs that say what they are do not count; this is what it would say on
 * someone's desk.
 * @param {import("playwright-core").Browser} browser
 */
export const agent = (browser) =>
  `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version()} Safari/537.36`;

/**
 * Waits until `ask` answers with something true.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function eventually(ask, what) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
