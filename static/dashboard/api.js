/**
 * The dashboard's own JSON API.
 */

/**
 * @typedef {{ visitors: number, visits: number, page_views: number, bounce_rate: number | null, visit_seconds: number | null }} Figures
 * @typedef {{ site: number, from: string, to: string, today: string }} AnsweredPeriod
 * @typedef {{ from: string, to: string, same_time: boolean }} Compared
 * @typedef {{ period: AnsweredPeriod, compared_with: Compared, current: Figures, previous: Figures }} Totals
 * @typedef {{ start: string, whole: boolean, current: Figures | null, previous: Figures }} Point
 * @typedef {{ period: AnsweredPeriod, compared_with: Compared, bucket: string, points: Point[] }} Series
 * @typedef {{ label: string, detail?: string, visitors: number, visits: number, page_views: number }} Row
 * @typedef {{ period: AnsweredPeriod, by: string, rows: Row[], more: boolean }} Breakdown
 * @typedef {{ shown: number, accepted: number, rejected: number, customised: number, ignored: number, acceptance_rate: number | null, refusal_rate: number | null }} ConsentFigures
 * @typedef {ConsentFigures & { day: string, banner_version: string, language: string }} ConsentRow
 * @typedef {{ period: AnsweredPeriod, total: ConsentFigures, rows: ConsentRow[], more: boolean }} Consent
 * @typedef {{ name: import("./format.js").MetricName, title: string, explanation: string, sql: string }} Metric
 * @typedef {{ signed_in: boolean, site?: number, today?: string }} Session
 */

/** An answer that is none: `code` is the API's, `unreachable` where there was no answer. */
export class ApiError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function request(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
    throw new ApiError("unreachable", "The gateway does not answer. Is it running?");
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new ApiError(
    body?.error?.code ?? "unknown",
    body?.error?.message ?? `The gateway answered with ${answer.status}.`,
  );
}

/**
 * Asks for figures.
 * @param {string} endpoint such as `totals`
 * @param {URLSearchParams} [parameters]
 * @param {AbortSignal} [signal]
 */
export const ask = (endpoint, parameters, signal) => request(`/api/${endpoint}?${parameters ?? ""}`, { signal });

/** @returns {Promise<Session>} */
export const session = () => request("/api/session");

/** @param {string} password */
export const signIn = (password) =>
  request("/api/sign-in", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ password }),
  });

export const signOut = () => request("/api/sign-out", { method: "POST" });
