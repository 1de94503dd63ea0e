/**
 * What failed on the page: the kind and the source, never the message, which may hold anything.
 */

import { bare } from './element.js';
import { add } from './outbox.js';

/** The last failure is not told again: a script may fail sixty times a second. */
let told = '';

/** @param {string} name @param {string} k @param {string} [to] */
const fail = (name, k, to) => told != (told = k + to) && add(name, { k, to });

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
