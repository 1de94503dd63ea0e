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

/** Whether an ending is one of the files that are downloads. @param {string} ending in lower case, without the dot */
export const isDownload = (ending) => 'CONSENTRY_DOWNLOADS'.split(',').includes(ending);
