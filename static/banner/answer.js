/**
 * The banner: answers it without losing the page. Without this script it is a plain form and works the same.
 *
 * Only the two buttons choose: closing, Escape, scrolling or reading on never do.
 */

import { folder } from './gateway.js';

export const banner = document.getElementById('consentry-banner');
export const corner = document.getElementById('consentry-corner');
const form = banner?.querySelector('form');

/** What the site marks so opens the choices too. */
export const CHOICES = '[data-consentry-choices]';

/** Our own link to the choices, where the site has not given it up. */
export const way = corner?.querySelector('a');

/** Says which question this page asks; the gateway refuses an answer to another. */
export const token = () => (form && new FormData(form).get('form')) ?? undefined;

/** Whether the visitor is being asked; also while something has taken the banner out of the page. */
export let asking = Boolean(banner);

/**
 * Sends the form the way a browser without scripts does, back to this page.
 * @param {HTMLFormElement} form
 * @param {string} choice
 */
function submitPlainly(form, choice) {
  const fields = [['choice', choice], ['return', location.pathname + location.search]].map(([name, value]) =>
    Object.assign(document.createElement('input'), { type: 'hidden', name, value }),
  );
  form.append(...fields);
  // Whatever the page calls its base.
  form.action = `${folder}consent`;
  // Only what stands in the page is sent.
  if (!form.isConnected) banner?.append(form);
  form.submit();
  // Whoever comes back to this page finds the form as it was.
  for (const field of fields) field.remove();
}

/** Takes the banner away and leaves the link by which the choice can be changed. */
export function close() {
  if (!banner || !asking) return;
  asking = false;
  const hadFocus = banner.contains(document.activeElement);
  banner.remove();
  if (corner) corner.hidden = false;
  const next = /** @type {HTMLElement | null} */ (way ?? document.querySelector(CHOICES));
  if (hadFocus) next?.focus({ preventScroll: true });
  const status = /** @type {HTMLElement | null | undefined} */ (corner?.querySelector('[data-consentry-saved]'));
  if (!status) return;
  // A screen reader announces only what changes in an element it already knows. What was said does not stay over the page.
  setTimeout(() => (status.textContent = status.dataset.consentrySaved ?? ''), 100);
  setTimeout(() => (status.textContent = ''), 8000);
}

/**
 * What the buttons do, as a listener of the window: it hears of a press before anything of the page's, so that a script
 * which takes all forms, or all clicks, for its own takes nobody's choice.
 * @param {(choice: { choice: string, source: 'banner' }) => Promise<unknown>} choose
 */
export function answer(choose) {
  let sending = false;
  /** @param {Event} event */
  return async (event) => {
    const { target } = event;
    const button = target instanceof Element && banner?.contains(target) && target.closest('button');
    if (!form || !button) return;
    event.preventDefault();
    if (sending) return;
    sending = true;
    await choose({ choice: button.value, source: 'banner' }).catch(() => submitPlainly(form, button.value));
    sending = false;
  };
}
