/**
 * Puts what is ours back where something else took it out of the page: a router that changes the whole body, a framework
 * that writes the document anew. It is the same elements, as they were: a banner that was answered stays away, and nobody
 * loses the focus or is given it.
 */

import { asking, banner, corner } from './answer.js';
import { mark } from './link.js';
import { sheet } from './shield.js';

/** What all of ours stands in. */
const ui = /** @type {HTMLElement} */ (document.querySelector('consentry-ui') ?? document.createElement('consentry-ui'));

/** A site that takes them away again each time has its way after so many times in ten seconds. */
const MOST = 20;

/** What a script sets on all that stands beside a dialog of its own. */
const SPOILS = ['style', 'inert', 'aria-hidden'];

/** How often they were put back of late. */
let times = 0;

/** Who goes from page to page is not kept waiting; a site that takes them away as often is. */
let resting = false;

/** Dialogs that make all the page beside them inert, the latest first. @type {Element[]} */
let modals = [];

/** Gives what was put back its listeners again: a document that is opened anew (`document.open()`) has none. @type {() => void} */
let heard;

const observer = new MutationObserver(stay);
const dialogs = new MutationObserver(stay);

/** @param {() => void} hear adds all listeners, which may be there already */
export function keep(hear) {
  heard = hear;
  stay();
}

/** What ours belongs into: the body, or the dialog without which nobody could answer. */
function home() {
  const open = [...document.querySelectorAll('dialog[open]')].filter((dialog) => dialog.matches(':modal'));
  modals = [...open.filter((dialog) => !modals.includes(dialog)).reverse(), ...modals.filter((dialog) => open.includes(dialog))];
  return modals.find((dialog) => asking || dialog.contains(ui)) ?? document.body;
}

/** Looks whether all that should be there is there; whatever else changes in the page costs no more than that. */
function stay() {
  const { body, documentElement: html, head } = document;
  const into = home();
  // The nodes may be others than before; what lies deeper than ours is nobody's to watch.
  for (const node of [document, html, head, body]) if (node) observer.observe(node, { childList: true });
  observer.observe(ui, { childList: true, attributeFilter: SPOILS });
  // But a dialog that opens or closes anywhere, and one that goes with what is ours.
  dialogs.observe(document, { subtree: true, attributeFilter: ['open'], childList: into !== body });
  const parts = [asking ? banner : null, corner].filter((part) => part !== null);
  const gone = parts.filter((part) => !part.isConnected);
  // Who is moved within the page leaves the top layer.
  const sunk = parts.some((part) => part.popover && !part.matches(':popover-open'));
  const spoilt = SPOILS.some((name) => ui.hasAttribute(name));
  const bare = sheet && !sheet.isConnected;
  // A router that keeps pages has a copy of ours.
  const copies = [...document.querySelectorAll('consentry-ui')].filter((one) => one !== ui);
  if (resting || !body || !(gone.length || sunk || spoilt || bare || copies.length || ui.parentNode !== into)) return;
  if (++times > MOST) {
    observer.disconnect();
    dialogs.disconnect();
    return;
  }
  resting = times > 4;
  setTimeout(() => {
    resting = false;
    stay();
  }, 300);
  setTimeout(() => times--, 10_000);

  for (const copy of copies) copy.remove();
  for (const name of SPOILS) ui.removeAttribute(name);
  if (sheet && bare) head?.prepend(sheet);
  if (ui.parentNode !== into) {
    // First in the body, but after its skip links, as the gateway puts it.
    let next = into === body ? body.firstElementChild : null;
    while (next?.matches('a[href^="#"]')) next = next.nextElementSibling;
    into.insertBefore(ui, next);
  }
  for (const part of parts) {
    if (!part.isConnected) ui.append(part);
    if (part.popover && !part.matches(':popover-open')) part.showPopover();
  }
  if (gone.length) heard();
  mark();
}
