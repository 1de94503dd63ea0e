/**
 * On which links and marked elements the mouse rested.
 */

import { now, since } from './contained.js';
import { named, within } from './element.js';
import { add } from './outbox.js';

/** From half a second on. */
const SHORTER_MS = 499;

/** @type {Element | undefined} */
let rested;
let restedAt = 0;

/** The mouse has gone on, to another element of interest or to none. @param {Element} [next] */
export const rest = (next) => {
  if (next != rested) {
    if (rested && since(restedAt) > SHORTER_MS) add('hover', { ...named(rested), d: since(restedAt) });
    rested = next;
    restedAt = now();
  }
};

/** By type of event. */
export const hovers = {
  pointerover: (/** @type {PointerEvent} */ event) => event.pointerType == 'mouse' && rest(within(event, ':any-link,[data-consentry-hover]')),
  // Out of the window altogether.
  pointerout: (/** @type {PointerEvent} */ event) => event.relatedTarget || rest(),
};
