/**
 * Keeps the site's style from what is ours, further than a style sheet alone can.
 *
 * A shadow root takes our sheet a second time: what it says with `!important` of its host and of what is slotted into
 * it wins over all the page says, attributes of style included. The buttons themselves stay in the page's own tree, where
 * assistive programs, and those that refuse on the visitor's behalf, look for them. The top layer lies above every
 * `z-index` and outside what a transform or a filter of the page's body does to `position: fixed`.
 */

import { folder } from './gateway.js';

/** @param {HTMLElement | null} element the banner or the link */
export function shield(element) {
  // What has the focus would lose it by being moved.
  if (!element || element.contains(document.activeElement)) return;
  const sheet = [...document.styleSheets].find(({ href }) => href === `${folder}banner.css`)?.ownerNode;
  if (sheet) {
    const form = element.querySelector('form');
    // The form goes on being sent, but there is no place for it to be seen in.
    if (form) [form.id, form.slot] = ['consentry-form', 'none'];
    // Only the host's own children are slotted, so all there is to see comes out of its boxes. Buttons name the form they
    // have left.
    for (const part of element.querySelectorAll(':is(form, div) > :not(div, input)')) {
      if (part.localName === 'button') part.setAttribute('form', 'consentry-form');
      element.append(part);
    }
    const copy = /** @type {HTMLLinkElement} */ (sheet.cloneNode());
    // As it stands there, another site's `<base>` would lead it away.
    copy.href = `${folder}banner.css`;
    copy.nonce = /** @type {HTMLLinkElement} */ (sheet).nonce;
    element.attachShadow({ mode: 'open' }).append(copy, document.createElement('slot'));
  }
  // On a low screen the banner stands in the page's flow, and stays there.
  if ('popover' in element && getComputedStyle(element).position === 'fixed') {
    element.popover = 'manual';
    element.showPopover();
  }
}
