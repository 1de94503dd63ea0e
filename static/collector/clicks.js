/**
 * What the visitor clicked: links, buttons and marked elements; downloads, ways out of the site, telephone numbers and
 * addresses for mail.
 */

import { later } from './contained.js';
import { absolute, bare, named, within } from './element.js';
import { note } from './exit.js';
import { isDownload, on } from './options.js';
import { add } from './outbox.js';
import { trackMarked } from './track.js';

/** @param {MouseEvent} event */
export const clicked = (event) => {
  const link = within(event, ':any-link');
  // 1 is the middle button, which opens links; 2 opens a menu.
  if (!event.isTrusted || event.button > +!!link) return;
  // A link in a drawing has its address otherwise.
  const url = link && absolute(link.href.baseVal || link.href);
  const contact = /^(tel|mail)(to)?/.exec(url);
  if (contact) note(contact[1]);
  const element = within(event, ':any-link,button,[role=button],[data-consentry-click]');
  const marked = within(event, '[data-consentry-event]:not(form)');
  // Only then is it known what the page made of it.
  later(() => {
    // The most telling name of a click, one for each.
    const name =
      (on('contacts') && contact?.[0]) ||
      // A link that the page has taken in hand leads nowhere that we know.
      (bare(url) && !event.defaultPrevented &&
        ((on('downloads') && (link.matches('[download]') || isDownload(bare(url))) && 'download') ||
          (on('outbound') && url.host != location.host && 'outbound'))) ||
      (on('clicks') && 'click');
    if (element && name) add(name, { ...named(element), to: bare(url) });
    if (marked) trackMarked(marked);
  });
};
