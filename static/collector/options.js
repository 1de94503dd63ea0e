/**
 * What the operator has switched on. The gateway puts both texts in once, at its start: the file is the same for every
 * visitor. What is not listed is not collected, and its listeners are not installed.
 */

/**
 * Whether an option is on: one of `hover titles hash login timings vitals engagement clicks downloads outbound forms contacts
 * errors device plugins`, of which none is part of another.
 * @param {string} word
 */
export const on = (word) => 'CONSENTRY_OPTIONS'.includes(word);

/** Endings of files whose links are downloads, in lower case, without the dot. */
export const downloads = 'CONSENTRY_DOWNLOADS'.split(',');
