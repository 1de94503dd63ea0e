/**
 * Every option there is. A word's place is its bit: the gateway counts them the same way (`src/config/capture.rs`).
 */
export const WORDS = [
  'device',
  'plugins',
  'timings',
  'vitals',
  'engagement',
  'clicks',
  'downloads',
  'outbound',
  'forms',
  'contacts',
  'errors',
  'hover',
  'titles',
  'hash',
  'login',
];
