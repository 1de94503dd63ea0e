/**
 * Events wait here for a moment and go together: after a second, when fifteen wait, at 8 KB, or on leaving.
 * Nothing is kept on the device: what cannot be sent twice is lost.
 */

import { now, since } from './contained.js';
import { navigation } from './exit.js';
import { on } from './options.js';
import { close, endpoint, id, page } from './page.js';

/** @typedef {{ t: number, ti?: string, [field: string]: unknown }} Waiting An event; `t` is when it happened, until it is sent. */

const IDLE_MS = 1000;
const RETRY_MS = 5000;
/** The fifteenth does not wait, nor what makes more than 8 KB. */
const MOST_WAITING = 13;
const MOST_CHARACTERS = 8000;
/** The gateway takes no more in one beacon. */
const MOST_EVENTS = 20;

/** @type {Waiting[]} */
const queue = [];

/** @param {Waiting[]} events @param {unknown} [again] whether this is the second try */
const send = (events, again) => {
  // The permission may have gone since the first try.
  if (!page) return;
  const body = JSON.stringify({ v: 1, events: events.map((event) => ({ ...event, t: since(event.t) })) });
  const retry = () => again || setTimeout(send, RETRY_MS, events, true);
  // In older browsers a request may end with its page: a beacon arrives, if without an answer.
  if (!navigation) navigator.sendBeacon(endpoint('events'), body);
  else {
    fetch(endpoint('events'), { method: 'POST', keepalive: true, body }).then((answer) => {
      if (answer.status == 403) close();
      // One event that may not be kept is refused with all it came with: then each goes alone.
      else if (answer.status == 400 && events[1]) events.map((event) => send([event]));
      // Too many, or the gateway is away.
      else if (answer.status > 428) retry();
    }, retry);
  }
};

/** Sends what waits. */
export const flush = () => {
  // A single-page site names a page only after it went there.
  if (on('titles')) queue.map((event) => event.nt && (event.ti = document.title));
  while (queue[0]) send(queue.splice(0, MOST_EVENTS));
};

/**
 * Notes that something happened just now on the page in view.
 * @param {string} n its name
 * @param {{ nt?: string, [field: string]: unknown }} fields
 */
export const add = (n, fields) => {
  if (!page) return;
  const event = {
    n,
    ...page,
    i: id(),
    t: now(),
    login: on('login') ? /** @type {HTMLElement | null} */ (document.querySelector('[data-consentry-login]'))?.dataset.consentryLogin : undefined,
    ...fields,
  };
  // A page that goes just now does not wait for this, and sends all in one. What cannot be sent fails here, alone.
  setTimeout(flush, queue[MOST_WAITING] || JSON.stringify([...queue, event])[MOST_CHARACTERS] ? 0 : IDLE_MS);
  queue.push(event);
};
