/**
 * Answers the banner without losing the page. Without this script the banner is a plain form and works the same.
 *
 * Only the two buttons choose: closing, Escape, scrolling or reading on never do. The script reads nothing from the
 * device; it sends the visitor's own press and does what the answer permits.
 */

const banner = document.getElementById('consentry-banner');
const form = banner?.querySelector('form');

/**
 * @typedef {object} Consent What `GET` and `POST consent` answer with.
 * @property {boolean} chosen Whether the visitor has chosen.
 * @property {string[]} granted Ids of the purposes that are permitted.
 */

/**
 * Asks or tells the gateway.
 * @param {object} [choice] What to tell; nothing to ask.
 * @returns {Promise<Consent>}
 */
async function consent(choice) {
  const headers = { 'Content-Type': 'application/json' };
  const told = choice && { method: 'POST', headers, body: JSON.stringify(choice) };
  const answer = await fetch(new URL('consent', import.meta.url), { headers: { Accept: 'application/json' }, ...told });
  if (!answer.ok) throw new Error(`consent: ${answer.status}`);
  return answer.json();
}

/**
 * Sends the form the way a browser without scripts does, back to this page.
 * @param {HTMLFormElement} form
 * @param {string} choice
 */
function submitPlainly(form, choice) {
  for (const [name, value] of [['choice', choice], ['return', location.pathname + location.search]]) {
    const field = document.createElement('input');
    Object.assign(field, { type: 'hidden', name, value });
    form.append(field);
  }
  form.submit();
}

/**
 * Takes the banner away and leaves the link by which the choice can be changed.
 * @param {HTMLElement} banner
 */
function close(banner) {
  const corner = document.getElementById('consentry-corner');
  const hadFocus = banner.contains(document.activeElement);
  banner.remove();
  if (!corner) return;
  corner.hidden = false;
  if (hadFocus) corner.querySelector('a')?.focus({ preventScroll: true });
  const status = /** @type {HTMLElement | null} */ (corner.querySelector('[data-consentry-saved]'));
  // A screen reader announces only what changes in an element it already knows.
  if (status) setTimeout(() => (status.textContent = status.dataset.consentrySaved ?? ''), 100);
}

/**
 * Gives an element that the gateway made inert its attributes back: each `data-consentry-NAME` becomes `NAME` again (a
 * script without `data-consentry-type`, or with an empty one, had no type).
 * @param {HTMLElement} element
 */
function restore(element) {
  for (const { name, value } of [...element.attributes]) {
    if (!name.startsWith('data-consentry-')) continue;
    element.removeAttribute(name);
    const original = name.slice('data-consentry-'.length);
    if (original === 'purpose' || (original === 'type' && !value)) continue;
    element.setAttribute(original, value);
  }
}

/**
 * Brings an inert element to life; settles when the next one may follow.
 * @param {HTMLElement} inert
 */
async function revive(inert) {
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

/**
 * Starts what is now permitted, on this page and from this moment on.
 * @param {string[]} granted
 */
async function start(granted) {
  if (granted.includes('analytics') && !document.querySelector('[data-consentry-collector]')) {
    const collector = document.createElement('script');
    collector.src = new URL('collector.js', import.meta.url).href;
    const own = /** @type {HTMLElement | null} */ (document.querySelector('[data-consentry-banner]'));
    collector.nonce = own?.nonce ?? '';
    collector.dataset.consentryCollector = '';
    // It tells nothing of the time before.
    collector.dataset.consentryNow = '';
    document.head.append(collector);
  }
  const inertOnes = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-consentry-purpose]'));
  for (const inert of inertOnes) {
    const purposes = (inert.dataset.consentryPurpose ?? '').split(' ');
    if (purposes.every((purpose) => granted.includes(purpose))) await revive(inert);
  }
}

let sending = false;
form?.addEventListener('submit', async (event) => {
  const choice = /** @type {HTMLButtonElement | null} */ (event.submitter)?.value;
  if (!choice || !banner) return;
  event.preventDefault();
  if (sending) return;
  sending = true;
  let state;
  try {
    state = await consent({ choice, source: 'banner' });
  } catch {
    submitPlainly(form, choice);
    return;
  }
  close(banner);
  await start(state.granted);
});

// A page taken out of the back/forward cache may show a banner that was answered elsewhere.
addEventListener('pageshow', async (event) => {
  if (!event.persisted || !banner?.isConnected) return;
  const state = await consent().catch(() => null);
  if (!state?.chosen) return;
  close(banner);
  await start(state.granted);
});
