/**
 * Errors of ours never reach the page, and nothing of ours makes it wait.
 */

/**
 * `work` whose errors stay here, those of its promise too.
 * @template {any[]} Given
 * @param {(...given: Given) => unknown} work
 */
export const contained = (work) => async (/** @type {Given} */ ...given) => {
  try {
    await work(...given);
  } catch {
    // The page is more important than what we would have counted.
  }
};

/**
 * Hears events before the page's own listeners can stop them. None of those asked for can hold up scrolling.
 * @param {Record<string, 0 | ((event: any) => unknown)>} works by type of event; those that are not wanted are 0
 * @param {EventTarget} [target]
 */
export const listen = (works, target = self) => {
  for (const type in works) {
    if (works[type]) target.addEventListener(type, contained(works[type]), true);
  }
};

/** Work that waits. @type {(() => unknown)[]} */
const waiting = [];

/** Does what waits: the page is going, or has done its own. */
export const hurry = () => waiting.splice(0).map((work) => contained(work)());

/** `work`, once the page has done its own. @param {() => unknown} work */
export const later = (work) => {
  waiting.push(work);
  setTimeout(hurry);
};

/** When something happened, on the page's own clock, which nobody sets. */
export const now = () => performance.now();

/** Whole milliseconds since then. @param {number} then */
export const since = (then) => (now() - then) | 0;
