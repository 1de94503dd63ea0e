/**
 * What the browser says of itself.
 */

import { on } from './options.js';

/** Fields of a page view. */
export const device = () => {
  const { connection, languages, plugins } = /** @type {Navigator & { connection?: { effectiveType?: string, type?: string } }} */ (navigator);
  return {
    ...(on('device') && {
      tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
      lang: '' + languages.slice(0, 5),
      screen: screen.width + 'x' + screen.height,
      vp: innerWidth + 'x' + innerHeight,
      net: connection?.effectiveType || connection?.type,
    }),
    ...(on('plugins') && { pl: [...plugins].slice(0, 16).map(({ name }) => name) }),
  };
};
