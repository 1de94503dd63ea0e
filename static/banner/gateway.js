/**
 * Asks the gateway and tells it. The script never decides: what is permitted is what the gateway answers with.
 */

/**
 * @typedef {object} State A choice as `GET` and `POST consent` answer with it. What is read of the cookie alone has the
 *   first three.
 * @property {boolean} chosen Whether the visitor has chosen.
 * @property {string[]} granted Ids of the purposes that are permitted.
 * @property {string[]} denied Ids of those that were refused.
 * @property {string | null} [made_at] When, as ISO 8601.
 * @property {string | null} [receipt] The choice's number.
 * @property {number} [policy_version] What was asked.
 * @property {{ id: string, title: string, description: string, necessary: boolean }[]} [purposes] All there are.
 * @property {boolean} [under_16] Whether the visitor has said to be under 16.
 * @property {Record<string, 'granted' | 'denied'>} [google] Google's consent types; absent where that mode is off.
 */

/** The visitor's folder: this script lies in it, whatever it is called. */
export const folder = new URL('.', import.meta.url).href;

/**
 * Asks for the choice, or makes one.
 * @param {object} [choice] What to tell; nothing to ask.
 * @returns {Promise<State>} rejects with a reason that can be shown; then nothing has changed.
 */
export async function ask(choice) {
  const headers = { Accept: 'application/json', 'Content-Type': 'application/json' };
  const answer = await fetch(`${folder}consent`, choice && { method: 'POST', headers, body: JSON.stringify(choice) });
  const given = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(given.error ?? `consentry: the gateway answered ${answer.status}`);
  return given;
}
