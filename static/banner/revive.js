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
    element.setAttribute(original, value);
  }
  element.removeAttribute('data-consentry-purpose');
  element.removeAttribute('data-consentry-key');
}

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
  for (const { name, value } of inert.attributes) live.setAttribute(name, value);
  // `text/plain` is the gateway's; what the script's own type was stands beside it.
  live.removeAttribute('type');
  live.nonce = inert.nonce;
  live.text = inert.textContent ?? '';
  restore(live);
  const runs = !live.type || /javascript|module/i.test(live.type);
  const wait = live.src && runs && !live.async;
  const settled = wait && new Promise((done) => (live.onload = live.onerror = done));
  inert.replaceWith(live);
  // The next script may rest on this one, as it would have on the way down the page.
  await settled;
}

/** The last element that is on its way; two choices in a row keep the page's order. @type {Promise<unknown>} */
let last = Promise.resolve();

/**
 * Starts what is now permitted.
 * @param {string[]} granted
 */
export function start(granted) {
  if (granted.includes('analytics') && !document.querySelector('[data-consentry-collector]')) {
    const collector = document.createElement('script');
    collector.src = `${folder}collector.js`;
    collector.nonce = own?.nonce ?? '';
    collector.dataset.consentryCollector = '';
    // It tells nothing of the time before.
    collector.dataset.consentryNow = '';
    document.head.append(collector);
  }
  last = last.then(async () => {
    const inertOnes = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-consentry-purpose]'));
    for (const inert of inertOnes) {
      const purposes = (inert.dataset.consentryPurpose ?? '').split(' ');
      if (purposes.every((purpose) => granted.includes(purpose))) await revive(inert);
    }
  });
}
