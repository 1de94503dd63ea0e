/**
 * The site's own events: `window.consentry.track(name, props)` and elements marked `data-consentry-event="Name"`, with
 * properties as `data-consentry-event-KEY="value"`.
 */

import { named } from './element.js';
import { add } from './outbox.js';

const MOST_PROPS = 20;

/** @param {string} name @param {Record<string, any>} [given] @param {object} [more] */
export const track = (name, given, more) => {
  if (!/^[\w .:-]{1,64}$/.exec(name)) return;
  /** @type {Record<string, unknown>} */
  const props = {};
  let count = 0;
  for (const key in given) {
    // Text, yes or no, and numbers that JSON knows.
    if (/^(st|bo|number-?\d)/.exec(typeof given[key] + given[key]) && count++ < MOST_PROPS) props[key] = given[key];
  }
  const revenue = given?.revenue;
  add(name, { ...more, props, rev: revenue?.currency && { amount: +revenue.amount || 0, currency: '' + revenue.currency } });
};

/** @param {HTMLElement} element */
export const trackMarked = (element) => {
  /** @type {Record<string, string>} */
  const props = {};
  for (const attribute of element.attributes) {
    const key = attribute.name.split('data-consentry-event-')[1];
    if (key) props[key] = attribute.value;
  }
  track(element.dataset.consentryEvent ?? '', props, named(element));
};
