/**
 * The page's one dialog.
 */

import { byId } from "./element.js";

const dialog = /** @type {HTMLDialogElement} */ (byId("dialog"));

/**
 * Shows `body` under `title`; what was shown before goes.
 * @param {string} title
 * @param {...(Node | null)} body
 */
export function openDialog(title, ...body) {
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...body.filter((part) => part !== null));
  if (!dialog.open) dialog.showModal();
}

export function closeDialog() {
  if (dialog.open) dialog.close();
}

byId("dialog-close").addEventListener("click", closeDialog);
// A press beside the dialog's content lands on the dialog itself.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) closeDialog();
});
