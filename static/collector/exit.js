/**
 * How the page was left, as the browser's Navigation API has it. What no event tells is left out rather than guessed.
 */

import { now, since } from './contained.js';
import { bare } from './element.js';

/** @typedef {{ x?: string, xt?: string }} Exit */

/** For so long after a click or a submit what follows is taken for its consequence. */
const STEP_MS = 1000;
/** A navigation that has not ended the page after so long was a download, or was given up. */
const NAVIGATION_MS = 10_000;

/** The browser's Navigation API. @type {any} */
export const { navigation } = /** @type {any} */ (self);

/** The visitor's last submit, call or mail. @type {Exit | undefined} */
let step;
let stepAt = 0;
/** Where the page itself is going: `reload`, `traverse` (through the history) or a `link`. @type {Exit | 0 | false} */
let going = 0;
let goingAt = 0;

/** The visitor did something that may end the page. @param {string | undefined} x @param {string} [xt] */
export const note = (x, xt) => {
  step = { x, xt };
  stepAt = now();
};

/** A page view ended without its page. */
export const stay = () => (going = 0);

/** That step, if it was just now. */
export const recent = () => since(stepAt) < STEP_MS && step;

/**
 * How the page is left. Going back to another site makes no event: an address was typed only where going back would have
 * made one.
 * @param {boolean} [kept] of a page that is unloaded: whether it is kept for going back to, as when the visitor goes elsewhere
 */
export const exit = (kept) =>
  going && since(goingAt) < NAVIGATION_MS ? going
  : navigation ? { x: kept ? navigation.canGoBack ? 'typed' : '' : 'closed' }
  : recent();

/** The page is going somewhere. @param {{ navigationType: string, destination: { url: string } }} event */
export const go = (event) => {
  const url = bare(event.destination.url);
  goingAt = now();
  // Another program's address ends no page, nor does another place on it. The query may be what was typed into a form.
  going =
    /^(rel|t)/.exec(event.navigationType) ? { x: event.navigationType }
    : url && url != bare(location) && (recent() || { x: 'link', xt: url.split('?')[0] });
};
