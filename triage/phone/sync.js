// The sync loop. It runs in the page, under one lock for all windows. It promises two things only: an entry leaves
// the outbox when its receipt is on disk, and the status says what is known, never what is hoped.
import { accounts } from "./accounts.js";
import { seal } from "./vault.js";
import * as clock from "./clock.js";
import { openRow } from "./state.js";
import * as upkeep from "./upkeep.js";
import { call, answerOf } from "./wire.js";

/** @typedef {import("./accounts.js").Account} Account */

const LARGEST_BATCH = 50,
  EVERY = 60_000,
  FIRST_WAIT = 2_000,
  LONGEST_WAIT = 300_000;
const DAY = 86_400_000,
  SCOPE = 28 * DAY,
  RECENT = 3 * DAY;

/** What to do when the phone learnt something, and when it was taken off the team. */
export const listeners = { changed: () => {}, wiped: async (/** @type {Account} */ _) => {} };
let timer = 0;

/**
 * Put entries in the outbox, and drop the draft they come from, in one turn: the only way anything is recorded.
 * Resolves when it is on disk.
 * @param {Account} account
 * @param {any[]} entries with their ids
 * @param {{hold?: number, draft?: string}} [options] `hold`: for so many ms their author may still change them
 */
export async function record(account, entries, { hold = 0, draft } = {}) {
  const rows = await Promise.all(
    entries.map(async (entry) => ({
      id: entry.id,
      incident: entry.incident_id,
      state: "waiting",
      key: "device",
      holdUntil: Date.now() + hold,
      answeredAt: null,
      ...(await seal(account.deviceKey, { entry }, `outbox/${entry.id}`)),
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

/**
 * Exchange until nothing more waits on either side.
 * @param {Account} account
 * @returns {Promise<number>} ms until it is due again
 */
async function follow(account) {
  const { status } = account;
  if (status.phase === "stopped") return Infinity;
  if (status.until > Date.now()) return status.until - Date.now();
  if (!account.token && !(account.sendToken && (await due(account)).length)) return nextDue(account);
  Object.assign(status, { phase: "talking" });
  listeners.changed();
  try {
    while (await exchange(account));
    if (account.token) await upkeep.afterSync(account);
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

/** @param {Account} account */
const waiting = async (account) => (await account.db.all("outbox")).filter((row) => row.state === "waiting");
/** What may be sent now, oldest first. @param {Account} account */
const due = async (account) =>
  (await waiting(account)).filter((row) => row.holdUntil <= Date.now()).sort((a, b) => (a.id < b.id ? -1 : 1));

/** @param {Account} account */
async function nextDue(account) {
  if (account.status.phase === "stopped" || accounts.get(account.profile.staff) !== account) return Infinity;
  const holds = (await waiting(account)).map((row) => row.holdUntil - Date.now());
  const earliest = account.token ? Math.min(EVERY, ...holds) : account.sendToken ? Math.min(...holds) : Infinity;
  return Math.max(earliest, account.status.until - Date.now(), 500);
}

/**
 * One round trip. A locked phone sends and reads nothing.
 * @param {Account} account
 * @returns {Promise<boolean>} whether there is more
 */
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
  switch (response.status) {
    case 200:
      break;
    case 202:
      await settle(account, rows, answer, null);
      if (all.length > rows.length) return true; // the rest first, then nothing stays
      await listeners.wiped(account);
      return false;
    case 410: // a restored backup: from the start, nothing is lost
      await account.db.write((stores) => {
        stores("meta").delete("cursor");
        stores("meta").put(true, "offerAgain");
      });
      return true;
    default:
      if (answer.code === "cursor_malformed")
        return (
          await account.db.write((stores) => {
            stores("meta").delete("cursor");
          }),
          true
        );
      if (isAboutEntries(response, answer) && rows.length) return await halve(account, rows, answer);
      throw failure(response, answer);
  }
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

/**
 * Everything of one answer in one transaction: receipts, incidents, what is gone, the cursor. Sealing comes before
 * it.
 * @param {Account} account
 * @param {any[]} rows
 * @param {Partial<import("./wire.js").SyncAnswer> & Pick<import("./wire.js").SyncAnswer, "results">} answer
 * @param {{fromStart: boolean} | null} pulled from the start: nothing that is held counts any more
 */
async function settle(account, rows, answer, pulled) {
  const { db, dataKey } = account;
  const answered = await receipts(account, rows, answer.results);
  const keep = pulled && dataKey; // locked meanwhile: receipts only, the cursor stays where it was
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
  const again = await upkeep.changedService(account, answer);
  const at = clock.now();
  await db.write((stores) => {
    const meta = stores("meta");
    for (const row of answered) stores("outbox").put(row);
    for (const [key, value] of Object.entries(again)) meta.put(value, key);
    meta.put(at, "lastContact");
    if (!keep) return;
    if (pulled.fromStart) stores("incidents").clear(); // `gone` cannot name what an unknown log once showed
    for (const row of incidents) stores("incidents").put(row);
    for (const id of answer.gone ?? []) stores("incidents").delete(id);
    meta.put(answer.cursor, "cursor");
    meta.put(clock.getOffset(), "offset");
    meta.put(at, "lastPull");
    if (!answer.more) meta.put(asks, "asks");
  });
  account.status.lastContact = at;
  account.codesVersion = answer.codes_version;
}

/**
 * The rows of a batch with what the service said. What was received is sealed with the data key as soon as there is
 * one.
 * @param {Account} account
 * @param {any[]} rows
 * @param {any[]} results
 */
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
        const sealed = await seal(
          key === "data" ? /** @type {CryptoKey} */ (account.dataKey) : account.deviceKey,
          { entry, notices, problem },
          `outbox/${row.id}`,
        );
        return { ...row, ...sealed, key, state, answeredAt: clock.now() };
      }),
  );
}

/**
 * When this phone drops an incident by itself, by the scope of what a phone receives.
 * @param {import("./wire.js").Incident} view
 * @returns {number}
 */
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
