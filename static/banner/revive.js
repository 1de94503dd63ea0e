/**
 * Brings to life what the gateway made inert, on this page and from the moment it is permitted.
 */

import { folder } from './gateway.js';

/** The element that loads this script; the gateway puts it into every page. Nobody else may write a script there. */
export const own = /** @type {HTMLElement | null} */ (document.querySelector('script[data-consentry-banner]'));

/** What the gateway takes from an element to make it inert; nothing else is ever given back. */
const TAKEN = /^(src|href|data|poster|background|code|srcset|imagesrcset|srcdoc|type)$/;

/**
 * What the gateway drew for this page and wrote on all that it made inert. It is not the only one who can write such attributes:
 * what visitors write on a site may have some, too, but they cannot know this.
 */
const key = own?.dataset.consentryKey;

/**
 * What comes to life without the key as well, since it only shows something: pieces of pages that scripts have fetched have none.
 * All else may run in the site's name, a frame's `srcdoc` too, and sleeps until the page comes anew.
 */
const SHOWS = /^(img|image|source|video|audio|track|input|i?frame)$/;

/** What runs as soon as it is somebody's address. Browsers leave out white space within it. */
const RUNS = /^javascript:/i;

/**
 * By this policy alone browsers take what we give back, where the site has them take nothing else (Trusted Types). Nobody but
 * this script can use it. Made when it is first needed, as a site that knows no such policy hears of it.
 * @type {any}
 */
let trusted;

/** @returns {object} the policy, or nothing to go by */
function policy() {
  const same = (/** @type {string} */ value) => value;
  try {
    const types = /** @type {any} */ (self).trustedTypes;
    return types?.createPolicy('consentry', { createHTML: same, createScript: same, createScriptURL: same }) ?? {};
  } catch {
    // Where the site insists on one it knows, what is permitted comes with the page anew.
    return {};
  }
}

/**
 * @param {'HTML' | 'Script' | 'ScriptURL'} kind
 * @param {string} value
 * @returns {string} it, as a browser takes it
 */
function trust(kind, value) {
  trusted ??= policy();
  return trusted[`create${kind}`]?.(value) ?? value;
}

/**
 * Gives an element that the gateway made inert its attributes back: each `data-consentry-NAME` becomes `NAME` again (a
 * script without `data-consentry-type`, or with an empty one, had no type).
 * @param {HTMLElement} element
 */
function restore(element) {
  for (const { name, value } of [...element.attributes]) {
    const original = name.split(/^data-consentry-/)[1];
    if (!TAKEN.test(original)) continue;
    element.removeAttribute(name);
    if (RUNS.test(value.replace(/[\0-\x20]/g, '')) || (original === 'type' && !value)) continue;
    element.setAttribute(original, trust(original === 'srcdoc' ? 'HTML' : 'ScriptURL', value));
  }
  element.removeAttribute('data-consentry-purpose');
  element.removeAttribute('data-consentry-key');
}

/** The scripts that have come to life here. A page may have one of them more than once. */
const woken = new WeakSet();

/** Whether a script that was never asleep is there already: frameworks add those they miss. @param {string} src */
const runsAlready = (src) => [...document.scripts].some((one) => one.src === src && !woken.has(one));

/**
 * Brings an inert element to life; settles when the next one may follow.
 * @param {HTMLElement} inert
 */
async function revive(inert) {
  const isOurs = key && inert.dataset.consentryKey === key;
  if (!isOurs && (!SHOWS.test(inert.localName) || inert.hasAttribute('data-consentry-srcdoc'))) return;
  if (inert.localName !== 'script') return restore(inert);
  // A script that once was inert never runs; a copy of it does.
  const live = document.createElement('script');
  live.async = inert.hasAttribute('async');
  for (const { name, value } of inert.attributes) live.setAttribute(name, trust(/^on/.test(name) ? 'Script' : 'ScriptURL', value));
  // `text/plain` is the gateway's; what the script's own type was stands beside it.
  live.removeAttribute('type');
  live.nonce = inert.nonce;
  live.text = trust('Script', inert.textContent ?? '');
  restore(live);
  if (live.src && runsAlready(live.src)) return;
  woken.add(live);
  const runs = !live.type || /javascript|module/i.test(live.type);
  const wait = live.src && runs && !live.async;
  const settled = wait && new Promise((done) => (live.onload = live.onerror = done));
  inert.replaceWith(live);
  // The next script may rest on this one, as it would have on the way down the page.
  await settled;
}

/** The last element that is on its way; two choices in a row keep the page's order. @type {Promise<unknown>} */
let last = Promise.resolve();

/** Whether this page answers a form that was sent, or the like: to load it anew would send that again. */
const posted = own?.dataset.consentryPosted === '';

/** The page comes anew with what is permitted; what was sent to get it is not sent again. */
export const anew = () => (posted ? location.replace(location.pathname + location.search) : location.reload());

/** Where the browser lets us start nothing, what is permitted begins with the next page: this one, where it can be had again. */
const leave = () => posted || anew();

/** What is permitted. @type {string[]} */
let permitted = [];

/**
 * What sleeps in a part of the page, and in the shadow roots there that are open.
 * @param {Node} root
 * @returns {HTMLElement[]}
 */
function asleep(root) {
  if (!(root instanceof Element || root instanceof Document || root instanceof DocumentFragment)) return [];
  return [root, ...root.querySelectorAll('*')].flatMap((/** @type {any} */ one) => [
    ...(one.dataset?.consentryPurpose ? [one] : []),
    ...(one.shadowRoot ? asleep(one.shadowRoot) : []),
  ]);
}

/** Brings to life what is permitted of what sleeps. @param {HTMLElement[]} inertOnes */
function wake(inertOnes) {
  const begin = async () => {
    for (const inert of inertOnes) {
      const purposes = (inert.dataset.consentryPurpose ?? '').split(' ');
      if (inert.isConnected && purposes.every((purpose) => permitted.includes(purpose))) await revive(inert);
    }
  };
  if (inertOnes.length) last = last.then(begin).catch(leave);
}

/** What a router has kept, or a template holds, comes into the page when it likes. */
const late = new MutationObserver((changes) => wake(changes.flatMap(({ addedNodes }) => [...addedNodes].flatMap(asleep))));

/**
 * Says what is permitted from here on. A page in which nothing was made inert is not watched.
 * @param {string[]} granted
 */
export function permit(granted) {
  permitted = granted;
  if (key && granted.length) late.observe(document, { subtree: true, childList: true });
}

/**
 * Starts what is now permitted.
 * @param {string[]} granted
 */
export function start(granted) {
  permit(granted);
  if (granted.includes('analytics') && !document.querySelector('[data-consentry-collector]')) collect().catch(leave);
  wake(asleep(document));
}

async function collect() {
  const collector = document.createElement('script');
  collector.src = trust('ScriptURL', `${folder}collector.js`);
  collector.nonce = own?.nonce ?? '';
  collector.dataset.consentryCollector = '';
  // It tells nothing of the time before.
  collector.dataset.consentryNow = '';
  document.head.append(collector);
}
