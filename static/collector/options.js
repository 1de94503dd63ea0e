/**
 * What the operator has switched on. The gateway puts both names' values in once, at its start: the file is the same for
 * every visitor. What is not listed is not collected, and its listeners are not installed.
 */

import { WORDS } from './words.js';

/** The sum of the bits of what is on. */
export const options = CONSENTRY_OPTIONS;

/**
 * Whether an option is on. The build makes of it what it comes to, a look at the word's bit.
 * @param {string} word one of `words.js`
 */
export const on = (word) => options & (1 << WORDS.indexOf(word));

/** Whether an address is of a file that is a download, by its ending. @param {string} url without its fragment */
export const isDownload = (url) => /^[^?]+\.(CONSENTRY_DOWNLOADS)(\?|$)/i.test(url);
