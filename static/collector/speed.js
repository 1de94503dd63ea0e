/**
 * How fast the page was, as the browser measured it: navigation timing and web vitals (web.dev/vitals). Never asked for on
 * the page on which consent was given: the browser would tell of the time before.
 */

import { contained } from './contained.js';

/** @typedef {PerformanceEntry & { size?: number, value: number, hadRecentInput?: boolean, interactionId?: number }} Entry */

/** A session window of layout shifts ends after a second without one, or after five. */
const SHIFT_GAP_MS = 1000;
const SHIFTS_MS = 5000;

/** Vitals so far of the page view in progress. @type {{ lcp?: number, fcp?: number, inp?: number, cls?: number }} */
export let vitals = {};
/** Whether the page has been in sight without a break: what is painted later says nothing of its loading. */
let inSight = false;
let shiftsBegan = 0;
let lastShift = 0;
let shifts = 0;

/** A page view begins that loads no page. */
export const forgetVitals = () => (vitals = {});

/** What is painted from here on is no part of loading. */
export const outOfSight = () => (inSight = false);

/** Since when loading counts: 0, or when a page that was made ready before was wanted. */
export let loadsFrom = 0;

/** @param {number | undefined} start */
export const loadFrom = (start) => {
  loadsFrom = start || 0;
  inSight = !document.hidden;
};

/** @param {Entry} entry */
const see = (entry) => {
  const startTime = entry.startTime;
  // Only the largest contentful paint has a size.
  if (inSight && entry.size) vitals.lcp = between(loadsFrom, startTime);
  if (inSight && /^first-c/.exec(entry.name)) vitals.fcp = between(loadsFrom, startTime);
  if (entry.interactionId && !(/** @type {number} */ (vitals.inp) > entry.duration)) vitals.inp = entry.duration;
  if (entry.hadRecentInput == false) {
    if (startTime - lastShift > SHIFT_GAP_MS || startTime - shiftsBegan > SHIFTS_MS) {
      shifts = 0;
      shiftsBegan = startTime;
    }
    lastShift = startTime;
    shifts += entry.value;
    if (!(/** @type {number} */ (vitals.cls) > shifts)) vitals.cls = shifts;
  }
};

/** Begins to measure, and asks for what was measured before. */
export const measureVitals = () =>
  PerformanceObserver.supportedEntryTypes.map((type) => {
    if (type == 'layout-shift') vitals.cls = 0;
    new PerformanceObserver(contained((list) => /** @type {Entry[]} */ (list.getEntries()).map(see))).observe({ type, buffered: true });
  });

/** Whole milliseconds from one moment to the other; negative ones count as none, as where that has not come. @param {number} from @param {number} to */
export const between = (from, to) => to && (to - from) | 0;

