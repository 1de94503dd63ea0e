/**
 * When a page view begins and ends, how long it was in sight and how far down it was seen. One page may be several views:
 * a single-page site's, and one for each return out of the back/forward cache.
 */

import { contained, hurry, later, now, since } from './contained.js';
import { device } from './device.js';
import { exit, recent, stay } from './exit.js';
import { rest } from './hover.js';
import { on } from './options.js';
import { add, flush } from './outbox.js';
import { close, endpoint, here, open, page, script } from './page.js';
import { between, forgetVitals, loadFrom, loadsFrom, measureVitals, outOfSight, vitals } from './speed.js';

/** Tells of the page's first view, when the page has loaded or is left earlier. @type {(() => void) | 0} */
let first = 0;
/** When the page last came in sight; 0 while it is not. */
let visibleSince = 0;
/** The lowest line that was in sight, in pixels from the top. */
let lowest = 0;

/** The page is in sight from here on, or is not. */
const look = () => (visibleSince = document.hidden ? 0 : now());

/** The page is seen as far down as the window reaches. */
export const scrolled = () => (lowest = Math.max(lowest, scrollY + innerHeight));

/** Where a single-page site is scrolled to just now is still the page before. @param {string | false} [id] */
const begin = (id) => {
  open(id);
  stay();
  lowest = 0;
  look();
};

/** A page view that loaded no page. @param {string} nt @param {string} r where the visitor came from */
const beginWithin = (nt, r) => {
  begin();
  forgetVitals();
  add('pageview', { nt, r, ...device() });
};

const tellFirst = () => {
  if (first) first();
  first = 0;
};

/**
 * The page view ends, or pauses: what was not yet told goes with all that waits in one request.
 * @param {import('./exit.js').Exit | false} [how]
 */
const end = (how) => {
  hurry();
  tellFirst();
  rest();
  scrolled();
  outOfSight();
  if (on('engagement') || on('vitals')) {
    add('engagement', {
      ...(on('engagement') && {
        e: visibleSince && since(visibleSince),
        // Of the page as it is now: it may have grown since.
        sd: ((lowest / document.documentElement.scrollHeight) * 100 + 0.5) | 0,
        ...how,
      }),
      ...vitals,
    });
  }
  visibleSince = 0;
  flush();
};

/** The address is another, perhaps: of another page of a single-page site. */
const moved = () => {
  const { u, h } = here();
  if (page && (u != page.u || h != page.h)) {
    const before = page.u;
    end(exit());
    beginWithin(u == before ? 'hash' : 'spa', origin + before);
  }
};

/** @param {'pushState' | 'replaceState'} name */
const watch = (name) => {
  const original = history[name];
  history[name] = (...state) => {
    original.apply(history, state);
    contained(moved)();
  };
};

/** Begins the page's first view, and says what ends it and begins others, by type of event. */
export const viewing = () => {
  const { consentryPage, consentryNow } = script.dataset;
  const navigation = /** @type {PerformanceNavigationTiming & { activationStart?: number }} */ (performance.getEntriesByType('navigation')[0]);
  loadFrom(navigation.activationStart);
  const cached = navigation.type == 'back_forward' && !navigation.transferSize;
  const consented = consentryNow == '';
  // Out of the browser's cache it is the id of an earlier view.
  const known = !cached && consentryPage;
  begin(known);
  if (!consented && on('vitals')) measureVitals();
  first = () =>
    add(known || consented ? 'page_loaded' : 'pageview', {
      nt: consented ? 'consent' : loadsFrom ? 'prerender' : navigation.type,
      r: document.referrer,
      ...(!consented && on('timings') && {
        ...(!cached && {
          dns: between(navigation.domainLookupStart, navigation.domainLookupEnd),
          con: between(navigation.connectStart, navigation.connectEnd),
          ttfb: between(navigation.requestStart, navigation.responseStart),
        }),
        dom: between(loadsFrom, navigation.domContentLoadedEventEnd),
        load: between(loadsFrom, navigation.loadEventEnd),
      }),
      ...device(),
    });
  // The load is over only after its event.
  const load = () => later(tellFirst);
  if (consented || loadsFrom) load();
  /** @type {const} */ (['pushState', 'replaceState']).map(watch);
  return {
    popstate: moved,
    load,
    /** Hiding follows unloading and finds no page. @param {PageTransitionEvent} event */
    pagehide: (event) => {
      end(exit(event.persisted));
      close();
    },
    /** On a page out of the back/forward cache the visitor may have withdrawn meanwhile. @param {PageTransitionEvent} event */
    pageshow: async (event) => {
      if (event.persisted && (await (await fetch(endpoint('consent'))).json()).granted.includes('analytics')) beginWithin('bfcache', document.referrer);
    },
    visibilitychange: () => (document.hidden ? end(recent()) : look()),
  };
};
