/**
 * The browser's side of the choice: on every page, as a module. Pages work the same without it.
 *
 * It reads nothing from the device but the one cookie that says what was chosen, stores nothing, and sends nothing but a
 * choice made here. It sets no global but `window.consentry`:
 *
 * * `get()`: the choice, at once.
 * * `set('accept' | 'reject' | { granted: [ids] })`: makes one; a promise of the new state.
 * * `on('change', heard)`: calls `heard(state)` at each change; the answer ends that. The same is the event
 *   `consentry:change` of the document, its `detail` the state.
 */

import { answer, banner, corner } from './answer.js';
import { catchUp, choose, get, listen } from './choice.js';
import { link } from './link.js';
import { shield } from './shield.js';
import { keep } from './stay.js';

/** @typedef {import('./gateway.js').State} State */

/**
 * What is withdrawn stops with the page: it is loaded anew once those who listen have heard.
 * @param {'accept' | 'reject' | { granted: string[] }} choice
 * @returns {Promise<State>} rejects with an Error that says why; then nothing has changed
 */
const set = (choice) =>
  choose({ ...(typeof choice === 'string' ? { choice } : { granted: choice?.granted }), source: 'api' });

/**
 * @param {'change'} name
 * @param {(state: State) => unknown} heard
 * @returns {() => void} ends it
 */
function on(name, heard) {
  /** @param {any} event */
  const listener = ({ detail }) => heard(detail);
  document.addEventListener(`consentry:${name}`, listener);
  return () => document.removeEventListener(`consentry:${name}`, listener);
}

// What the site may have put there stays; where it may not be added to, there is no API.
const api = (/** @type {any} */ (self).consentry ||= {});
if (Object.isExtensible(api)) Object.assign(api, { get, set, on });
const answering = answer(choose);

/** Adds what listens; what is there already is not added twice. */
function hear() {
  addEventListener('click', answering, true);
  listen();
  link();
}

hear();
catchUp();
shield(banner);
shield(corner);
if (corner) keep(hear);
