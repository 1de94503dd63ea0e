/**
 * Google Consent Mode v2 (K8): says what is permitted before any of Google's tags asks. A classic script without `async`,
 * the first of the page. `data-granted` of its own element names the types that are; `data-ask` says that the visitor is
 * still to be asked, and tags wait half a second for the answer. The gateway puts it in only where this mode is on.
 */

const { granted = '', ask } = /** @type {HTMLScriptElement} */ (document.currentScript).dataset;

/** @type {Record<string, string | number>} */
const types = { security_storage: 'granted' };
for (const type of ['ad_storage', 'ad_user_data', 'ad_personalization', 'analytics_storage', 'functionality_storage', 'personalization_storage']) {
  types[type] = granted.split(' ').includes(type) ? 'granted' : 'denied';
}
if (ask !== undefined) types.wait_for_update = 500;

/** Google's tags take the function's own `arguments` and no array. @type {(...command: unknown[]) => void} */
const gtag = function () {
  const layer = /** @type {any} */ (self);
  (layer.dataLayer = layer.dataLayer || []).push(arguments);
};
gtag('consent', 'default', types);
