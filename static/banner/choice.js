/**
 * The choice as this page knows it, and what follows when it changes: here, by `consentry.set()`, in another tab, or
 * while the page lay in the back/forward cache.
 *
 * Without a choice nothing is read but one cookie, the script-readable twin of the signed one: the granted ids joined
 * with `!`, `none` after a refusal of everything. It proves nothing, and the gateway never believes it. Nothing is stored.
 */

import { asking, close, token } from './answer.js';
import { ask } from './gateway.js';
import { anew, own, permit, start } from './revive.js';

/** @typedef {import('./gateway.js').State} State */

/** The twin's value, if there is one. */
const twin = () => document.cookie.match(/(?:^|; )consentry_choice=([^;]*)/)?.[1];

/** The twin when it was last looked at: at first that of the choice the page was made with. */
let seen = own?.dataset.consentryChoice;

/** The gateway's last answer, as long as the twin is the one it came with. @type {State | undefined} */
let known;

/** How many choices are on their way to the gateway. */
let sending = 0;

/** What visitors are asked about. */
const optional = own?.dataset.consentryPurposes?.split(' ') ?? [];

/** What a twin says is granted. @param {string} [value] */
const granting = (value) => (value && value !== 'none' ? value.split('!') : []);

/**
 * The choice, at once and without a request.
 * @returns {State}
 */
export function get() {
  const value = twin();
  if (known && value === seen) return structuredClone(known);
  const chosen = value !== undefined;
  const granted = granting(value);
  return { chosen, granted, denied: optional.filter((id) => chosen && !granted.includes(id)) };
}

/** What was permitted when this page last heard of it. */
let before = granting(seen);

/**
 * Does what a new choice asks for.
 * @param {State} state
 */
function apply(state) {
  const withdrawn = before.some((id) => !state.granted.includes(id));
  [known, seen, before] = [state, twin(), [...state.granted]];
  if (state.chosen) close();
  if (state.google) {
    // Google's tags take the function's own `arguments` and no array.
    /** @type {(...command: unknown[]) => void} */
    const gtag = function () {
      (/** @type {any} */ (self).dataLayer ||= []).push(arguments);
    };
    gtag('consent', 'update', state.google);
  }
  document.dispatchEvent(new CustomEvent('consentry:change', { detail: get() }));
  // A script that runs cannot be stopped, but a page that comes anew is without it. What still leaves this one carries
  // the new choice, and the gateway takes nothing that it does not permit.
  if (withdrawn) {
    permit([]);
    setTimeout(anew);
  } else start(state.granted);
}

/**
 * Makes a choice.
 * @param {{ choice?: string, granted?: string[], source: 'banner' | 'api' }} choice
 * @returns {Promise<State>} rejects where the gateway refuses; then nothing has changed
 */
export async function choose(choice) {
  sending++;
  try {
    apply(await ask({ ...choice, form: token() }));
    return get();
  } finally {
    sending--;
  }
}

/**
 * Looks whether the choice was changed elsewhere, and asks the gateway only if it was.
 * @param {boolean} [doubt] Ask in any case: this page may be older than a choice.
 * @param {boolean} [starting] A page that cannot ask at its start is left as it was made.
 */
async function look(doubt, starting) {
  if (sending || (!doubt && twin() === seen)) return;
  const earlier = seen;
  [known, seen] = [undefined, twin()];
  const state = await ask().catch(() => null);
  if (state) {
    // A twin may outlive its choice, or what a purpose was when it was granted; the page knew that when it was made.
    const { chosen, granted } = state;
    if (earlier === undefined ? chosen : optional.some((id) => before.includes(id) !== granted.includes(id))) apply(state);
    return;
  }
  if (starting) return;
  // To be asked again the next time.
  seen = earlier;
  // Without the gateway's word the twin can take away and never add: anybody may have written it.
  const { granted } = get();
  if (!before.every((id) => granted.includes(id))) apply({ ...get(), granted: granted.filter((id) => before.includes(id)) });
}

const changed = () => look();

/** A page taken out of the back/forward cache may show a banner that was answered elsewhere. @param {PageTransitionEvent} event */
const shown = ({ persisted }) => look(persisted && asking && !twin());

/** A page that was made ready before it was wanted, or kept, may be older than a choice. */
export function catchUp() {
  permit(before);
  look(false, true);
}

/** Hears of changes made elsewhere; nothing is polled. */
export function listen() {
  // Where there is no cookie store, or the site is without TLS, the tab looks when it comes to the front.
  /** @type {any} */ (self).cookieStore?.addEventListener('change', changed);
  document.addEventListener('visibilitychange', changed);
  addEventListener('pageshow', shown);
}
