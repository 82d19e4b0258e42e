// Requests to the service. None is ever answered from a cache, follows a redirect or carries a cookie.
const LONGEST = 20_000;

/** What the service answers, from its OpenAPI document.
 * @typedef {import("wire").components["schemas"]} Schemas */
/** @typedef {Schemas["IncidentView"]} Incident */
/** @typedef {Schemas["DetentionView"]} Detention */
/** @typedef {Schemas["SyncAnswer"]} SyncAnswer */
/** @typedef {Schemas["Ask"]} Ask */
/** @typedef {Schemas["Notice"]} Notice */
/** @typedef {Schemas["Problem"]} Problem */

/** @param {string} path @param {unknown} body undefined: GET @param {string | null} token
 * @param {Record<string, string>} [headers] @returns {Promise<Response>} */
export async function call(path, body, token, headers = {}) {
  try {
    return await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      cache: "no-store",
      redirect: "error",
      credentials: "omit",
      signal: AbortSignal.timeout(LONGEST),
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw { why: "No connection" };
  }
}

/**
 * The JSON of an answer. A sign-in page of some Wi-Fi, or of a proxy, is no answer of the service.
 * @param {Response} response
 * @returns {Promise<any>}
 */
export async function answerOf(response) {
  try {
    return await response.json();
  } catch {
    throw { why: "No answer from the service" };
  }
}
