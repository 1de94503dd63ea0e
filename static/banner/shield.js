/**
 * Keeps the site's style and scripts from what is ours, further than a style sheet alone can.
 *
 * A shadow root takes our sheet a second time: what it says with `!important` of its host and of what is slotted into
 * it wins over all the page says, attributes of style included. The buttons themselves stay in the page's own tree, where
 * assistive programs, and those that refuse on the visitor's behalf, look for them. The top layer lies above every
 * `z-index` and outside what a transform or a filter of the page's body does to `position: fixed`.
 *
 * The form leaves the page: its buttons are heard without it, and the page's first form is the site's again.
 */

import { folder } from './gateway.js';

/** Our style sheet. */
export const sheet = /** @type {HTMLLinkElement | undefined} */ (
  [...document.styleSheets].find(({ href }) => href === `${folder}banner.css`)?.ownerNode
);

/** @param {HTMLElement | null} element the banner, the link, or what both stand in */
export function shield(element) {
  // What has the focus would lose it by being moved.
  if (!element || element.contains(document.activeElement)) return;
  const form = element.querySelector(':scope > form');
  if (form) {
    // Only the host's own children are slotted, so all there is to see comes out of its boxes.
    element.append(...form.querySelectorAll(':is(form, div) > :not(div, input)'));
    form.remove();
  }
  if (sheet) {
    const copy = /** @type {HTMLLinkElement} */ (sheet.cloneNode());
    // As it stands there, another site's `<base>` would lead it away.
    copy.href = `${folder}banner.css`;
    copy.nonce = sheet.nonce;
    element.attachShadow({ mode: 'open' }).append(copy, document.createElement('slot'));
  }
  // On a low screen the banner stands in the page's flow, and stays there.
  if ('popover' in element && getComputedStyle(element).position === 'fixed') {
    element.popover = 'manual';
    element.showPopover();
  }
}
