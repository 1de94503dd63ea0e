/**
 * What failed on the page: the kind and the source, never the message, which may hold anything.
 */

import { bare } from './element.js';
import { add } from './outbox.js';

/** Each failure is told once: a script may fail sixty times a second. @type {Record<string, number>} */
const told = {};

/** @param {string} name @param {string} k @param {string} [to] */
const fail = (name, k, to) => (told[k + to] ||= add(name, { k, to }) ?? 1);

/** By type of event. */
export const failures = {
  error: (/** @type {any} */ event) => {
    const target = event.target;
    // Data that stands in the page is no address.
    const to = bare(event.filename || target.src || target.href);
    if (target == self) fail('script_error', event.error?.name || 'Error', to);
    else if (to) fail('resource_error', target.localName, to);
  },
  unhandledrejection: (/** @type {Event} */ event) => fail('script_error', event.type),
};
