/**
 * Elements of the site's own that open the choices: whatever has the attribute `data-consentry-choices`.
 */

import { asking, CHOICES, corner, way } from './answer.js';
import { folder } from './gateway.js';

/** The preferences page, in the language of this one where we say which that is. */
const choices = way?.href ?? folder;

/** Gives those that are links their way, and takes our own link away where one of them is seen. */
export function mark() {
  const theirs = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(CHOICES));
  for (const element of theirs) if (element instanceof HTMLAnchorElement) element.href = choices;
  if (corner) corner.hidden = asking || [...theirs].some((element) => element.getClientRects().length);
}

/** A router of the site's would show our pages within one of its own; what the browser does with a link, it does. @param {Event} event */
function ours(event) {
  const { target } = event;
  if (target instanceof Element && target.closest(`a:is(consentry-ui *, ${CHOICES})`)) event.stopPropagation();
}

/** @param {Event} event */
function pressed(event) {
  const element = event.target instanceof Element && event.target.closest(CHOICES);
  if (!element || element instanceof HTMLAnchorElement) return;
  event.preventDefault();
  location.assign(choices);
}

/** Gives all of them their way, those of later pages too. */
export function link() {
  mark();
  addEventListener('click', ours, true);
  document.addEventListener('click', pressed);
}
