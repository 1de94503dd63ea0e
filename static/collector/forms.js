/**
 * Forms that were submitted, never what was written into them. A form the browser finds invalid is not submitted.
 */

import { absolute, bare, named } from './element.js';
import { note } from './exit.js';
import { on } from './options.js';
import { add } from './outbox.js';
import { trackMarked } from './track.js';

/** @param {SubmitEvent} event */
export const submitted = (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  // Fields may be called `action` and hide the property.
  const to = bare(absolute(form.getAttribute('action') || ''));
  note('form', to);
  if (on('forms')) add('form_submit', { ...named(form), to });
  trackMarked(form);
};
