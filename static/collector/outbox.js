/**
 * Events wait here for a moment and go together: after a second and a half, when fifteen wait, at 8 KB, or on leaving.
 * Nothing is kept on the device: what cannot be sent twice is lost.
 */

import { now, since } from './contained.js';
import { on } from './options.js';
import { close, endpoint, id, page } from './page.js';

/** @typedef {{ t: number, ti?: string, [field: string]: unknown }} Waiting An event; `t` is when it happened, until it is sent. */

const IDLE_MS = 1500;
const RETRY_MS = 5000;
const MOST_WAITING = 14;
const MOST_CHARACTERS = 8000;
/** The gateway takes no more in one beacon. */
const MOST_EVENTS = 20;

/** @type {Waiting[]} */
const queue = [];
/** The latest page view, until it has a title: a single-page site names a page only after it went there. @type {Waiting | null} */
let untitled;

const json = JSON.stringify;

/** @param {Waiting[]} events @param {boolean} [again] whether this is the second try */
const send = (events, again) => {
  // The permission may have gone since the first try.
  if (!page) return;
  const body = json({ v: 1, events: events.map((event) => ({ ...event, t: since(event.t) })) });
  const retry = () => again || setTimeout(send, RETRY_MS, events, true);
  // Where a request ends with its page, a beacon arrives, if without an answer.
  if (!('keepalive' in Request.prototype)) navigator.sendBeacon(endpoint('events'), body);
  else {
    fetch(endpoint('events'), { method: 'POST', keepalive: true, body }).then((answer) => {
      if (answer.status == 403) close();
      // 429, or the gateway is away.
      else if (answer.status > 428) retry();
    }, retry);
  }
};

/** Sends what waits. */
export const flush = () => {
  if (untitled && on('titles')) untitled.ti = document.title;
  untitled = null;
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
  queue.push(event);
  if (fields.nt) untitled = event;
  // A page that goes just now does not wait for this, and sends all in one.
  setTimeout(flush, queue.length > MOST_WAITING || json(queue).length > MOST_CHARACTERS ? 0 : IDLE_MS);
};
