// The sync loop. It runs in the page, under one lock for all windows. It promises two things only: an entry leaves
// the outbox when its receipt is on disk, and the status says what is known, never what is hoped.
import { accounts, putAll, waiting } from "./accounts.js";
import * as clock from "./clock.js";
import { openRow, session } from "./state.js";
import { seal } from "./vault.js";

/** @typedef {import("./accounts.js").Account} Account */
/** The answers of the service, from its OpenAPI document.
 * @typedef {import("wire").components["schemas"]} Schemas */
/** @typedef {Schemas["IncidentView"]} Incident */
/** @typedef {Schemas["DetentionView"]} Detention */
/** @typedef {Schemas["SyncAnswer"]} SyncAnswer */
/** @typedef {Schemas["Ask"]} Ask */
/** @typedef {Schemas["Notice"]} Notice */
/** @typedef {Schemas["Problem"]} Problem */

const LONGEST_CALL = 20_000,
  LARGEST_BATCH = 50,
  EVERY = 60_000,
  FIRST_WAIT = 2_000,
  LONGEST_WAIT = 300_000;
const DAY = 86_400_000,
  SCOPE = 28 * DAY,
  RECENT = 3 * DAY,
  KEEP_RECEIVED = 14 * DAY,
  KEEP_UNHEARD = 7 * DAY,
  RENEW_AFTER = 7 * DAY;

// Requests to the service. None is ever answered from a cache, follows a redirect or carries a cookie.

/** @param {string} path @param {unknown} body undefined: GET @param {string | null} token
 * @param {Record<string, string>} [headers] @returns {Promise<Response>} */
export async function call(path, body, token, headers = {}) {
  try {
    return await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      cache: "no-store",
      redirect: "error",
      credentials: "omit",
      signal: AbortSignal.timeout(LONGEST_CALL),
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

/** The JSON of an answer. A sign-in page of some Wi-Fi, or of a proxy, is no answer of the service.
 * @param {Response} response @returns {Promise<any>} */
export async function answerOf(response) {
  try {
    return await response.json();
  } catch {
    throw { why: "No answer from the service" };
  }
}

// The loop.

/** Called when the phone learnt something, and when it was taken off the team. */
export const listeners = { changed: () => {}, wiped: async (/** @type {Account} */ _) => {} };
let timer = 0;

/** Put entries in the outbox, and drop the draft they come from, in one turn: the only way anything is recorded.
 * Resolves when it is on disk.
 * @param {Account} account @param {any[]} entries with their ids
 * @param {{hold?: number, draft?: string}} [options] `hold`: for so many ms their author may still change them */
export async function record(account, entries, { hold = 0, draft } = {}) {
  const rows = await Promise.all(
    entries.map(async (entry) => ({
      id: entry.id,
      incident: entry.incident_id,
      state: "waiting",
      holdUntil: Date.now() + hold,
      answeredAt: null,
      ...(await sealRow(account, entry.id, "device", { entry })),
    })),
  );
  await account.db.write((stores) => {
    for (const row of rows) stores("outbox").put(row);
    if (draft) stores("drafts").delete(draft);
  });
  listeners.changed();
  soon(hold);
}

/** @param {number} [wait] in ms */
export function soon(wait = 0) {
  clearTimeout(timer);
  timer = setTimeout(() => sync(), wait);
}

/** Somebody asked for it: no waiting for a back-off. */
export function tryNow() {
  for (const { status } of accounts.values())
    if (status.phase !== "talking") Object.assign(status, { phase: "idle", until: 0, failures: 0 });
  return sync({});
}

/** @param {LockOptions} [options] by default another window's exchange is not waited for */
export async function sync(options = { ifAvailable: true }) {
  await navigator.locks.request("triage-sync", options, async (lock) => {
    if (!lock) return soon(1_000);
    let next = Infinity;
    for (const account of [...accounts.values()]) next = Math.min(next, await follow(account));
    if (next < Infinity) soon(next);
  });
}

/** Exchange until nothing more waits on either side.
 * @param {Account} account @returns {Promise<number>} ms until it is due again */
async function follow(account) {
  const { status } = account;
  if (status.phase === "stopped") return Infinity;
  if (ahead(status.until)) return ahead(status.until);
  if (!account.token && !(account.sendToken && (await due(account)).length)) return nextDue(account);
  status.phase = "talking";
  listeners.changed();
  try {
    while (await exchange(account));
    if (account.token) await afterSync(account);
    Object.assign(status, { phase: "idle", why: "", failures: 0, until: 0 });
  } catch (error) {
    const { stop, wait, why } = /** @type {any} */ (error);
    status.failures += 1;
    const backOff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (status.failures - 1)) * (0.5 + Math.random() / 2);
    Object.assign(status, {
      phase: stop ? "stopped" : "waiting",
      why: why ?? "This phone has a fault",
      until: Date.now() + (wait ?? backOff),
    });
  }
  listeners.changed();
  return nextDue(account);
}

/** How long until then, in ms; none where it is further away than anything waits: the clock has been put back since.
 * @param {number} instant on the phone's clock, in ms */
const ahead = (instant) => {
  const wait = instant - Date.now();
  return wait > LONGEST_WAIT ? 0 : Math.max(0, wait);
};

/** The entries that may be sent now, oldest first. @param {Account} account */
const due = async (account) =>
  (await waiting(account)).filter((row) => !ahead(row.holdUntil)).sort((a, b) => (a.id < b.id ? -1 : 1));

/** @param {Account} account */
async function nextDue(account) {
  if (account.status.phase === "stopped" || accounts.get(account.profile.staff) !== account) return Infinity;
  const holds = (await waiting(account)).map((row) => ahead(row.holdUntil));
  const earliest = account.token ? Math.min(EVERY, ...holds) : account.sendToken ? Math.min(...holds) : Infinity;
  return Math.max(earliest, ahead(account.status.until), 500);
}

/** One round trip. A locked phone sends and reads nothing.
 * @param {Account} account @returns {Promise<boolean>} whether there is more */
async function exchange(account) {
  const pull = !!(account.token && account.dataKey);
  const all = await due(account),
    rows = all.slice(0, account.batch);
  if (!pull && !rows.length) return false;
  const entries = await Promise.all(rows.map(async (row) => (await openRow(account, row)).entry));
  const cursor = pull ? ((await account.db.get("meta", "cursor")) ?? null) : null;
  const sent = Date.now();
  const response = await call(
    "/v1/sync",
    { cursor, sent_at: new Date(sent).toISOString(), entries, ...(pull ? {} : { pull }) },
    pull ? account.token : account.sendToken,
  );
  const answer = await answerOf(response);
  const { status } = response;
  if (status === 202) {
    await settle(account, rows, answer, null);
    // the rest first, then nothing stays
    if (all.length > rows.length) return true;
    await listeners.wiped(account);
    return false;
  }
  // a restored backup, or no cursor of this service: from the start, nothing is lost
  if (status === 410 || answer.code === "cursor_malformed") {
    await account.db.put("meta", { cursor: null, offerAgain: true });
    return true;
  }
  if (isAboutEntries(response, answer) && rows.length) return await halve(account, rows, answer);
  if (status !== 200) throw failure(response, answer);
  clock.setOffset(clock.measureOffset(answer.server_time, sent, Date.now()));
  await settle(account, rows, answer, pull ? { fromStart: cursor === null } : null);
  account.batch = Math.min(LARGEST_BATCH, account.batch * 2);
  return !!answer.more || all.length > rows.length;
}

/** Whether fewer entries may pass where these did not: too long, too slow, or no JSON for somebody on the way.
 * @param {Response} response @param {any} problem */
const isAboutEntries = ({ status }, { errors }) =>
  status === 408 || status === 413 || (status === 400 && !errors?.length);

/** The request as a whole was refused: half of it, at last one by one, until the entry at fault stands alone.
 * @param {Account} account @param {any[]} rows @param {any} problem */
async function halve(account, rows, problem) {
  if (rows.length > 1) account.batch = Math.ceil(rows.length / 2);
  else await settle(account, rows, { results: [{ id: rows[0].id, status: "refused", problem }] }, null);
  return true;
}

/** Everything of one answer in one transaction: receipts, incidents, what is gone, the cursor. Sealing comes before it.
 * @param {Account} account @param {any[]} rows @param {Partial<SyncAnswer> & Pick<SyncAnswer, "results">} answer
 * @param {{fromStart: boolean} | null} pulled from the start: nothing that is held counts any more */
async function settle(account, rows, answer, pulled) {
  const { db, dataKey } = account;
  const answered = await receipts(account, rows, answer.results);
  // locked meanwhile: receipts only, the cursor stays where it was
  const keep = pulled && dataKey;
  const incidents = keep
    ? await Promise.all(
        (answer.incidents ?? []).map(async (view) => ({
          id: view.id,
          until: dropAfter(view),
          ...(await seal(dataKey, view, `incidents/${view.id}`)),
        })),
      )
    : [];
  const asks = keep ? await seal(dataKey, answer.asks ?? [], "meta/asks") : null;
  const again = await changedService(account, answer);
  const at = clock.now();
  await db.write((stores) => {
    const meta = stores("meta");
    for (const row of answered) stores("outbox").put(row);
    putAll(meta, { ...again, lastContact: at });
    if (!keep) return;
    // `gone` cannot name what an unknown log once showed
    if (pulled.fromStart) stores("incidents").clear();
    for (const row of incidents) stores("incidents").put(row);
    for (const id of answer.gone ?? []) stores("incidents").delete(id);
    putAll(meta, { cursor: answer.cursor, offset: clock.getOffset(), lastPull: at, ...(answer.more ? {} : { asks }) });
  });
  account.status.lastContact = at;
  account.codesVersion = answer.codes_version;
}

/** The rows of a batch with what the service said. What was received is sealed with the data key as soon as there is
 * one.
 * @param {Account} account @param {any[]} rows @param {any[]} results */
async function receipts(account, rows, results) {
  const byId = new Map(results.map((result) => [result.id, result]));
  return Promise.all(
    rows
      .filter((row) => byId.has(row.id))
      .map(async (row) => {
        const { status, notices, problem } = byId.get(row.id);
        const { entry } = await openRow(account, row);
        const state = status === "stored" || status === "duplicate" ? "received" : status;
        const key = state === "received" && account.dataKey ? "data" : "device";
        const sealed = await sealRow(account, row.id, key, { entry, notices, problem });
        return { ...row, ...sealed, state, answeredAt: clock.now() };
      }),
  );
}

/** When this phone drops an incident by itself, by the scope of what a phone receives.
 * @param {Incident} view @returns {number} */
const dropAfter = (view) =>
  view.status === "open" || view.status === "awaiting_outcome"
    ? Date.parse(view.occurred_at) + SCOPE
    : Date.parse(view.changed_at) + RECENT;

/** @param {Response} response @param {any} problem */
function failure(response, problem) {
  const { status } = response;
  if (status === 401)
    return {
      stop: true,
      why:
        problem.code === "token_expired"
          ? "Sign this phone in again"
          : "This phone is not known any more: ask for a code",
    };
  if (status === 403) return { stop: true, why: "This account may not send: ask your lead" };
  if (status === 429 || status === 503)
    return { wait: 1000 * Number(response.headers.get("retry-after") ?? 5), why: "The service is busy" };
  if (status >= 500) return { why: "The service has a fault" };
  return { stop: true, why: `The service does not understand this app (${problem.code ?? status})` };
}

addEventListener("online", () => {
  for (const { status } of accounts.values()) status.until = 0;
  soon();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") soon();
});

// Upkeep, beside sending: renew its token, renew its codes, drop what it may no longer keep, offer again
// what a restored or renewed service may lack.

/** After a sync in which nothing more waited. @param {Account} account signed in */
async function afterSync(account) {
  await offerAgain(account);
  await renewToken(account);
  await renewCodes(account);
  await expire(account);
}

/** Drop what is past its time; needs no key, so it is done on a locked phone too. @param {Account} account */
export async function expire({ db }) {
  const at = clock.now(),
    lastPull = (await db.get("meta", "lastPull")) ?? at;
  const unheard = at - lastPull > KEEP_UNHEARD;
  const incidents = (await db.all("incidents")).filter((row) => unheard || row.until < at);
  const entries = (await db.all("outbox")).filter(
    (row) => row.state === "received" && row.answeredAt + KEEP_RECEIVED < at,
  );
  if (!incidents.length && !entries.length) return;
  await db.write((stores) => {
    for (const { id } of incidents) stores("incidents").delete(id);
    for (const { id } of entries) stores("outbox").delete(id);
    if (unheard) for (const key of ["cursor", "asks"]) stores("meta").delete(key);
  });
}

/** Entries received while the phone was locked are sealed with the data key now, so that only it reads them.
 * @param {Account} account signed in */
export async function sealReceived(account) {
  const open = (await account.db.all("outbox")).filter((row) => row.state === "received" && row.key === "device");
  const sealed = await Promise.all(open.map((row) => resealed(account, row, "data")));
  if (sealed.length) await putRows(account, sealed);
}

/** @param {Account} account @param {any} row of the outbox @param {"device" | "data"} key */
async function resealed(account, row, key) {
  const { entry, notices, problem } = await openRow(account, row);
  return { ...row, ...(await sealRow(account, row.id, key, { entry, notices, problem })) };
}

/** The content of a row of the outbox, sealed with one of the two keys. @param {Account} account @param {string} id
 * @param {"device" | "data"} key @param {{entry: any, notices?: any, problem?: any}} content */
const sealRow = async (account, id, key, content) => ({
  key,
  ...(await seal(/** @type {CryptoKey} */ (account[`${key}Key`]), content, `outbox/${id}`)),
});

/** @param {Account} account @param {any[]} rows of the outbox @param {Record<string, any>} [meta] written with them */
const putRows = ({ db }, rows, meta = {}) =>
  db.write((stores) => {
    for (const row of rows) stores("outbox").put(row);
    putAll(stores("meta"), meta);
  });

/** The marks of the service itself in an answer, to be kept with it: another history, another version.
 * @param {Account} account @param {any} answer */
async function changedService({ db }, { epoch, service, entry_schema }) {
  if (!service) return {};
  const [known, before] = await db.some("meta", "epoch", "version");
  const version = `${service} ${entry_schema}`;
  return {
    epoch,
    version,
    ...(known && epoch !== known ? { offerAgain: true } : {}),
    ...(before && version !== before ? { offerRefused: true } : {}),
  };
}

/** After a restored backup what the service lacks, after a new version what it did not take, goes back into the outbox.
 * @param {Account} account */
async function offerAgain(account) {
  const { db, token } = account;
  const [restored, renewed] = await db.some("meta", "offerAgain", "offerRefused");
  if (!restored && !renewed) return;
  const rows = await db.all("outbox"),
    received = rows.filter((row) => row.state === "received");
  const response =
    restored && received.length ? await call("/v1/sync/held", { ids: received.map(({ id }) => id) }, token) : null;
  if (response && response.status !== 200) throw { why: "The service has a fault" };
  const missing = new Set(response ? (await answerOf(response)).missing : []);
  const again = rows.filter(
    ({ id, state }) => missing.has(id) || (renewed && (state === "refused" || state === "quarantined")),
  );
  const sealed = await Promise.all(again.map((row) => resealed(account, row, "device")));
  await putRows(
    account,
    sealed.map((row) => ({ ...row, state: "waiting", holdUntil: 0 })),
    { offerAgain: false, offerRefused: false },
  );
}

/** A new token every week. It is on disk before it is first used; the old one works until then.
 * @param {Account} account */
async function renewToken(account) {
  const { db, dataKey, token, profile } = account;
  if (!dataKey || Date.now() - ((await db.get("meta", "tokenAt")) ?? 0) < RENEW_AFTER) return;
  const response = await call(`/v1/devices/${profile.device}/token`, {}, token);
  // the one there is goes on working; next sync tries again
  if (response.status !== 200 && response.status !== 201) return;
  const answer = await answerOf(response),
    sealed = await seal(dataKey, answer.token, "meta/token");
  await db.put("meta", { token: sealed, sendToken: answer.send_token, tokenAt: Date.now() });
  if (account.token) Object.assign(account, { token: answer.token, sendToken: answer.send_token });
}

/** @param {Account} account */
async function renewCodes(account) {
  const { db, token, codesVersion } = account;
  if (codesVersion === account.codesChecked) return;
  const [held, tag] = await db.some("meta", "codes", "codesTag");
  const response = await call("/v1/codes", undefined, token, tag ? { "if-none-match": tag } : {});
  account.codesChecked = codesVersion;
  if (response.status !== 200) return;
  const codes = await answerOf(response);
  if (codes.version < held?.version) return;
  await db.put("meta", { codes, codesTag: response.headers.get("etag") });
  session.codes = codes;
}
