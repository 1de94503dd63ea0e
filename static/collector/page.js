/**
 * The page view in progress and where the gateway is. Without a page in view nothing is noted and nothing is sent.
 */

import { absolute, bare } from './element.js';
import { on } from './options.js';

/**
 * @typedef {object} Page What every event says of the page it happened on.
 * @property {string} u path and query, never the fragment
 * @property {string | undefined} h with the option `hash`: the route in the fragment
 * @property {string} p the page view's id
 */

/** The collector's own script tag. */
export const script = /** @type {HTMLScriptElement} */ (document.currentScript);

/** Beside this script, wherever the gateway has its folder. @param {string} name */
export const endpoint = (name) => absolute(name, script.src);

/** Sixteen digits, which are hexadecimal ones too, out of 53 random bits: what is told twice is looked for within one visitor's. */
export const id = () => Math.random().toFixed(16).slice(2);

/** @type {Page | 0} */
export let page = 0;

/** The page is about to go, or the permission has gone. */
export const close = () => (page = 0);

/** Where the visitor is. A fragment that is no route, as of a heading, leaves the route as it was. */
export const here = () => ({
  u: /** @type {string} */ (bare(location)).slice(origin.length),
  h: ((on('hash') && /^$|^#!?(\/.*)/.exec(location.hash)) || [, /** @type {Page} */ (page)?.h])[1],
});

/** @param {string | false} [given] the page view's id, where the gateway knows it already */
export const open = (given) => (page = { ...here(), p: given || id() });
