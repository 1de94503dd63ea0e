/**
 * Tells the gateway what only the browser knows of a page view. The gateway puts this script into a page only where the
 * visitor has permitted analytics; without that it is never loaded. It keeps nothing on the device, sets no global, and
 * an error in it never reaches the page.
 *
 * Sends to `events` beside this script's own address: {"v":1,"events":[EVENT]}, with in each event
 *   n  `page_loaded` once, `engagement` on leaving      u  path and query of the page, never the fragment
 * and for `page_loaded`:  tz  time zone   lang  first language   screen  WIDTHxHEIGHT
 * and for `engagement`:   e   milliseconds visible since the last one   sd  furthest scrolled, 0 to 100 per cent
 */
(() => {
  'use strict';
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement)) return;

  /** @type {{u: string}} */
  let page;
  /** @type {number | null} When the page was last seen to become visible; null while it is hidden. */
  let visibleSince = null;
  let visibleMs = 0;
  let deepest = 0;
  let stopped = true;

  /**
   * Sends one event; once more after two seconds if the gateway could not be reached or could not take it.
   * @param {object} event
   */
  const send = (event, triesLeft = 1) => {
    const again = () => triesLeft && setTimeout(send, 2000, event, triesLeft - 1);
    fetch(new URL('events', script.src), {
      method: 'POST',
      keepalive: true,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ v: 1, events: [event] }),
    }).then((answer) => answer.status >= 500 && again(), again);
  };

  /** How far down the page its lowest visible line is, in per cent. */
  const depth = () => {
    const whole = Math.max(document.documentElement.scrollHeight, 1);
    return Math.min(100, Math.round(((scrollY + innerHeight) / whole) * 100));
  };

  /** From here on, and of nothing before: consent may have come only on this page. */
  const begin = () => {
    page = { u: location.pathname + location.search };
    stopped = false;
    visibleSince = document.visibilityState === 'visible' ? performance.now() : null;
    visibleMs = 0;
    deepest = depth();
    send({
      n: 'page_loaded',
      ...page,
      tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
      lang: navigator.language,
      screen: `${screen.width}x${screen.height}`,
    });
  };

  /** Tells what was not yet told, if anything: leaving a page ends in two events, hiding and unloading. */
  const leave = () => {
    if (stopped) return;
    if (visibleSince !== null) visibleMs += performance.now() - visibleSince;
    visibleSince = null;
    const e = Math.round(visibleMs);
    if (e < 1) return;
    visibleMs = 0;
    send({ n: 'engagement', ...page, e, sd: deepest });
  };

  /** Begins anew on a page out of the back/forward cache, unless the visitor has withdrawn meanwhile. */
  const comeBack = async () => {
    stopped = true;
    const answer = await fetch(new URL('consent', script.src), { headers: { Accept: 'application/json' } });
    if ((await answer.json()).granted.includes('analytics')) begin();
  };

  /**
   * `work` whose errors stay here.
   * @template {Event | undefined} Cause
   * @param {(event: Cause) => unknown} work
   * @returns {(event: Cause) => void}
   */
  const contained = (work) => (event) => {
    try {
      Promise.resolve(work(event)).catch(() => {});
    } catch {
      // The page is more important than what we would have counted.
    }
  };

  const start = contained(begin);

  addEventListener('scroll', contained(() => { deepest = Math.max(deepest, depth()); }), { passive: true });
  addEventListener('pagehide', contained(leave));
  addEventListener('pageshow', contained((event) => event.persisted && comeBack()));
  document.addEventListener('visibilitychange', contained(() => {
    if (document.visibilityState === 'hidden') leave();
    else if (!stopped) visibleSince = performance.now();
  }));

  if ('prerendering' in document && document.prerendering) document.addEventListener('prerenderingchange', start, { once: true });
  else start(undefined);
})();
