/**
 * What is told of an element: its kind and its label, never what somebody wrote into it.
 */

const LONGEST_LABEL = 80;

/**
 * The innermost element of an event's path that matches, out of shadow trees too.
 * @param {Event} event
 * @param {string} selector
 */
export const within = (event, selector) =>
  /** @type {any} */ (event.composedPath().find((node) => /** @type {Partial<Element>} */ (node).matches?.(selector)));

/** The absolute URL of what a page names. @param {string} href @param {string} [base] */
export const absolute = (href, base = document.baseURI) => new URL(href, base);

/** A URL on the web without its fragment, of others nothing. @param {any} url @returns {any} */
export const bare = (url) => /^http[^#]+/.exec(url)?.[0];

/**
 * `el` and `l` of an event: what somebody may have written into it is no label.
 * @param {any} element
 */
export const named = (element) => ({
  el: element.href ? 'link' : element.localName,
  l: (
    element.ariaLabel ||
    (!element.matches('form,textarea,[contenteditable]') && element.textContent) ||
    element.getAttribute('name') ||
    ''
  ).trim().slice(0, LONGEST_LABEL),
});
