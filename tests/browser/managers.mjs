// Sites that have a consent manager already: the packages as npm has them, each on a site of its own.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Manager
 * @property {string} word what it is called in the configuration
 * @property {string} cookie where it keeps the choice
 * @property {string[]} files its script and its style, below node_modules
 * @property {string} start runs it, in the page
 * @property {string} settings opens its choices again, in the page
 * @property {string} accept its button that accepts everything, as a selector
 * @property {string} reject its button that refuses everything
 * @property {string[]} acceptLater the same once the choices are opened again, press by press
 * @property {string[]} rejectLater
 * @property {string} configuration of the gateway
 */

const CATEGORIES = `{ necessary: { enabled: true, readOnly: true }, analytics: {}, marketing: {} }`;

/** @type {Manager[]} */
export const MANAGERS = [
  {
    word: "cookieconsent-v3",
    cookie: "cc_cookie",
    files: ["vanilla-cookieconsent/dist/cookieconsent.umd.js", "vanilla-cookieconsent/dist/cookieconsent.css"],
    start: `CookieConsent.run({
      revision: 2, hideFromBots: false,
      categories: ${CATEGORIES},
      language: { default: "en", translations: { en: {
        consentModal: { title: "Cookies", description: "May we?", acceptAllBtn: "Accept all", acceptNecessaryBtn: "Reject all" },
        preferencesModal: { title: "Choices", acceptAllBtn: "Accept all", acceptNecessaryBtn: "Reject all", savePreferencesBtn: "Save",
          sections: [{ title: "Analytics", linkedCategory: "analytics" }, { title: "Marketing", linkedCategory: "marketing" }] },
      } } },
    });`,
    settings: `CookieConsent.showPreferences();`,
    accept: ".cm__btn[data-role=all]",
    reject: ".cm__btn[data-role=necessary]",
    acceptLater: [".pm__btn[data-role=all]"],
    rejectLater: [".pm__btn[data-role=necessary]"],
    configuration: `version = 2\n[[import]]\ncategory = "analytics"\npurpose = "analytics"\n[[import]]\ncategory = "marketing"\npurpose = "marketing"\n`,
  },
  {
    word: "cookieconsent-v2",
    cookie: "cc_cookie",
    files: ["vanilla-cookieconsent-v2/dist/cookieconsent.js", "vanilla-cookieconsent-v2/dist/cookieconsent.css"],
    start: `window.manager = initCookieConsent(); window.manager.run({
      current_lang: "en", hide_from_bots: false,
      languages: { en: {
        consent_modal: { title: "Cookies", description: "May we?",
          primary_btn: { text: "Accept all", role: "accept_all" }, secondary_btn: { text: "Reject all", role: "accept_necessary" } },
        settings_modal: { title: "Choices", save_settings_btn: "Save", accept_all_btn: "Accept all", reject_all_btn: "Reject all", close_btn_label: "Close",
          blocks: [
            { title: "Necessary", description: "Always.", toggle: { value: "necessary", enabled: true, readonly: true } },
            { title: "Analytics", description: "Counts.", toggle: { value: "analytics", enabled: false, readonly: false } },
          ] },
      } },
    });`,
    settings: `manager.showSettings(0);`,
    accept: "#c-p-bn",
    reject: "#c-s-bn",
    acceptLater: ["#s-all-bn"],
    rejectLater: ["#s-rall-bn"],
    // What it usually means is enough: `analytics` is analytics.
    configuration: "",
  },
  {
    word: "klaro",
    cookie: "klaro",
    files: ["klaro/dist/klaro-no-css.js", "klaro/dist/klaro.min.css"],
    start: `klaro.setup({
      version: 1, elementID: "klaro", acceptAll: true, hideDeclineAll: false, lang: "en", mustConsent: false,
      services: [{ name: "matomo", title: "Matomo", purposes: ["analytics"] }, { name: "youtube", title: "YouTube", purposes: ["media"], default: true }],
    });`,
    settings: `klaro.show(undefined, true);`,
    accept: "#klaro .cookie-notice .cm-btn-success",
    reject: "#klaro .cookie-notice .cn-decline",
    // Who has chosen has one switch for everything, and saves.
    acceptLater: [".cm-toggle-all .cm-list-label", "#klaro .cm-btn-accept"],
    rejectLater: [".cm-toggle-all .cm-list-label", "#klaro .cm-btn-accept"],
    configuration: `[[import]]\ncategory = "matomo"\npurpose = "analytics"\n[[import]]\ncategory = "youtube"\npurpose = "marketing"\n`,
  },
];

/**
 * A site whose pages carry the manager.
 * @param {Manager} manager
 */
export async function startManagedSite({ files, start, settings }) {
  const [script, style] = await Promise.all(
    files.map((name) => readFile(fileURLToPath(new URL(`node_modules/${name}`, import.meta.url)))),
  );
  const page = `<!doctype html><html lang="en-GB"><head><meta charset="utf-8"><title>A page</title><link rel="stylesheet" href="/manager.css">
<script defer src="/manager.js"></script><script defer src="/start.js"></script></head>
<body><h1>A page</h1><button id="settings">Cookie settings</button></body></html>`;
  /** @type {Record<string, [string, string | Buffer]>} */
  const served = {
    "/manager.js": ["text/javascript", script],
    "/manager.css": ["text/css", style],
    "/start.js": ["text/javascript", `${start}\ndocument.getElementById("settings").addEventListener("click", () => { ${settings} });`],
  };
  const server = createServer((request, response) => {
    const [type, body] = served[request.url ?? ""] ?? ["text/html; charset=utf-8", page];
    response.writeHead(request.url === "/favicon.ico" ? 204 : 200, { "content-type": type });
    response.end(request.url === "/favicon.ico" ? undefined : body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { origin: `http://127.0.0.1:${port}`, stop: () => server.close() };
}
