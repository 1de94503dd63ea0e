/**
 * The collector tells the gateway what only the browser knows of a visit. The gateway puts it into a page only where the
 * visitor has permitted analytics; without that it is never loaded. It keeps nothing on the device, sets no global but
 * `window.consentry`, and an error in it never reaches the page. What it sends stands in `src/capture/beacon.rs`.
 */

import { clicked } from './clicks.js';
import { contained, listen } from './contained.js';
import { failures } from './errors.js';
import { go, navigation } from './exit.js';
import { submitted } from './forms.js';
import { hovers } from './hover.js';
import { on } from './options.js';
import { track } from './track.js';
import { scrolled, viewing } from './view.js';

const start = contained(() => {
  // Where there is no Navigation API, nothing of that name happens.
  listen({ navigate: go }, navigation);
  listen({
    ...viewing(),
    click: clicked,
    auxclick: clicked,
    submit: submitted,
    scroll: on('engagement') && scrolled,
    ...(on('hover') && hovers),
    ...(on('errors') && failures),
  });
  // The one global, which the site may have begun.
  (/** @type {any} */ (self).consentry ||= {}).track = contained(track);
});

// A page that is made ready before it is wanted has no visitor yet.
if (/** @type {{ prerendering?: boolean }} */ (document).prerendering) listen({ prerenderingchange: start });
else start();
