/**
 * What the browser says of itself.
 */

import { on } from './options.js';

/** Fields of a page view. */
export const device = () => {
  const connection = /** @type {Navigator & { connection?: { effectiveType?: string, type?: string } }} */ (navigator).connection;
  return {
    ...(on('device') && {
      tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
      lang: '' + navigator.languages,
      screen: screen.width + 'x' + screen.height,
      vp: innerWidth + 'x' + innerHeight,
      net: connection?.effectiveType || connection?.type,
    }),
    ...(on('plugins') && { pl: [...navigator.plugins].map((plugin) => plugin.name) }),
  };
};
