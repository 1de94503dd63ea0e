/**
 * The site's own events: `window.consentry.track(name, props)` and elements marked `data-consentry-event="Name"`, with
 * properties as `data-consentry-event-KEY="value"`.
 */

import { named } from './element.js';
import { add } from './outbox.js';

/**
 * What may not be kept of it the gateway refuses, and tells the site's engineers on their console.
 * @param {string} name
 * @param {Record<string, unknown>} [props]
 * @param {object} [more]
 */
export const track = (name, { revenue, ...props } = {}, more) => add(name, { ...more, props, rev: revenue });

/** @param {HTMLElement} element */
export const trackMarked = (element) => {
  const name = element.dataset.consentryEvent;
  if (!name) return;
  /** @type {Record<string, string>} */
  const props = {};
  for (const attribute of element.attributes) {
    const key = attribute.name.split('data-consentry-event-')[1];
    if (key) props[key] = attribute.value;
  }
  track(name, props, named(element));
};
