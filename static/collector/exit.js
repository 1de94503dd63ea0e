/**
 * How the page was left. Where the browser has the Navigation API it says so itself; elsewhere only the visitor's last
 * click or submit counts, and nothing is said where there was none: absent rather than guessed.
 */

import { now, since } from './contained.js';
import { bare } from './element.js';

/** @typedef {{ x?: string, xt?: string }} Exit */

/** For so long after a click what follows is taken for its consequence. */
const CLICK_MS = 1000;
/** A navigation that has not ended the page after so long was a download, or was given up. */
const NAVIGATION_MS = 10_000;

/** @type {Exit | undefined} The visitor's last click on a link, or submit. */
let step;
let stepAt = 0;
/** @type {Exit | null | undefined} Where the page itself is going. */
let going;
let goingAt = 0;

/** The visitor did something that may end the page. @param {Exit} exit */
export const note = (exit) => {
  step = exit;
  stepAt = now();
};

/** A page view ended without its page. */
export const stay = () => (going = null);

/** Where a link leads. @param {URL} url @returns {Exit} */
export const linkExit = (url) => ({
  x: bare(url) ? (url.host == location.host ? 'link_inside' : 'link_outside') : /^tel|^mail/.exec(/** @type {any} */ (url))?.[0],
  xt: bare(url),
});

/** The last click, if it was just now: it brought another program or another tab to the front. */
export const hiddenBy = () => (since(stepAt) < CLICK_MS ? step : undefined);

/** How the page is left. @param {boolean} [kept] of a page that is unloaded: whether it is kept for going back to, as when the visitor goes elsewhere */
export const exit = (kept) =>
  going && since(goingAt) < NAVIGATION_MS ? going : 'navigation' in self ? { x: kept ? 'typed' : 'closed' } : hiddenBy();

/** The page is going somewhere. @param {{ navigationType: string, destination: { url: string }, downloadRequest?: string | null }} event */
export const go = (event) => {
  const url = bare(event.destination.url);
  if (event.downloadRequest != null) return;
  going =
    event.navigationType == 'traverse' ? { x: 'back_forward' }
    : event.navigationType == 'reload' ? { x: 'reload' }
    // Another program's address ends no page, nor does another place on it. The query of a form's target is what the visitor wrote.
    : url && url != bare(location) ? hiddenBy() ?? linkExit(new URL(url.split('?')[0]))
    : null;
  goingAt = now();
};
