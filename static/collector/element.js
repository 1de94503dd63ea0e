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
 * `el` and `l` of an event. Only links and buttons are called by their text: that of other elements may be a field's.
 * @param {any} element
 */
export const named = (element) => ({
  el: element.href ? 'link' : element.localName,
  l: (
    element.dataset.consentryClick ||
    element.ariaLabel ||
    ((element.href || /button/.exec(element.localName)) && element.textContent) ||
    element.getAttribute('name') ||
    ''
  ).trim().replace(/\s+/g, ' ').slice(0, LONGEST_LABEL),
});
