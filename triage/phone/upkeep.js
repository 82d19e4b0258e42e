// What a phone does beside sending: renew its token, renew its codes, drop what it may no longer keep, offer again
// what a restored or renewed service may lack.
import { seal } from "./vault.js";
import { openRow, session } from "./state.js";
import * as clock from "./clock.js";
import { call, answerOf } from "./wire.js";

/** @typedef {import("./accounts.js").Account} Account */

const DAY = 86_400_000,
  KEEP_RECEIVED = 14 * DAY,
  KEEP_UNHEARD = 7 * DAY,
  RENEW_AFTER = 7 * DAY;

/** After a sync in which nothing more waited. @param {Account} account signed in */
export async function afterSync(account) {
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

/** What was received while the phone was locked is sealed with the data key now, so that it cannot be read without it.
 * @param {Account} account signed in */
export async function sealReceived(account) {
  const open = (await account.db.all("outbox")).filter((row) => row.state === "received" && row.key === "device");
  const sealed = await Promise.all(open.map(async (row) => ({ ...row, ...(await resealed(account, row, "data")) })));
  if (sealed.length)
    await account.db.write((stores) => {
      for (const row of sealed) stores("outbox").put(row);
    });
}

/** @param {Account} account @param {any} row of the outbox @param {"device" | "data"} key */
async function resealed(account, row, key) {
  const { entry, notices, problem } = await openRow(account, row);
  const sealingKey = /** @type {CryptoKey} */ (key === "data" ? account.dataKey : account.deviceKey);
  return { key, ...(await seal(sealingKey, { entry, notices, problem }, `outbox/${row.id}`)) };
}

/** What an answer says of the service itself, to be kept with it: another history, another version.
 * @param {Account} account @param {any} answer */
export async function changedService({ db }, { epoch, service, entry_schema }) {
  /** @type {Record<string, any>} */
  const keep = {};
  const known = await db.get("meta", "epoch");
  if (epoch && known && epoch !== known) keep.offerAgain = true;
  if (epoch) keep.epoch = epoch;
  const version = `${service} ${entry_schema}`,
    before = await db.get("meta", "version");
  if (service && version !== before) Object.assign(keep, { version }, before ? { offerRefused: true } : {});
  return keep;
}

/** After a restored backup what the service lacks, after a new version what it did not take, goes back into the outbox.
 * @param {Account} account */
async function offerAgain(account) {
  const { db, token } = account;
  const [restored, renewed] = await Promise.all([db.get("meta", "offerAgain"), db.get("meta", "offerRefused")]);
  if (!restored && !renewed) return;
  const rows = await db.all("outbox"),
    received = rows.filter((row) => row.state === "received");
  const response =
    restored && received.length ? await call("/v1/sync/held", { ids: received.map(({ id }) => id) }, token) : null;
  if (response && response.status !== 200) throw { why: "The service has a fault" };
  const missing = new Set(response ? (await answerOf(response)).missing : []);
  const again = await Promise.all(
    rows
      .filter((row) => missing.has(row.id) || (renewed && (row.state === "refused" || row.state === "quarantined")))
      .map(async (row) => ({ ...row, state: "waiting", holdUntil: 0, ...(await resealed(account, row, "device")) })),
  );
  await db.write((stores) => {
    for (const row of again) stores("outbox").put(row);
    for (const key of ["offerAgain", "offerRefused"]) stores("meta").delete(key);
  });
}

/**
 * A new token every week. It is on disk before it is first used; the old one works until then.
 * @param {Account} account
 */
async function renewToken(account) {
  const { db, dataKey, token, profile } = account;
  if (!dataKey || Date.now() - ((await db.get("meta", "tokenAt")) ?? 0) < RENEW_AFTER) return;
  const response = await call(`/v1/devices/${profile.device}/token`, {}, token);
  if (response.status !== 200 && response.status !== 201) return; // the one there is goes on working; next sync tries again
  const answer = await answerOf(response),
    sealed = await seal(dataKey, answer.token, "meta/token");
  await db.write((stores) => {
    const meta = stores("meta");
    meta.put(sealed, "token");
    if (answer.send_token) meta.put(answer.send_token, "sendToken");
    meta.put(Date.now(), "tokenAt");
  });
  if (account.token) Object.assign(account, { token: answer.token, sendToken: answer.send_token ?? account.sendToken });
}

/** @param {Account} account */
async function renewCodes(account) {
  const { db, token, codesVersion } = account;
  if (codesVersion === account.codesChecked) return;
  const [held, tag] = await Promise.all([db.get("meta", "codes"), db.get("meta", "codesTag")]);
  const response = await call("/v1/codes", undefined, token, tag ? { "if-none-match": tag } : {});
  account.codesChecked = codesVersion;
  if (response.status !== 200) return;
  const codes = await answerOf(response);
  if (codes.version < held?.version) return;
  await db.write((stores) => {
    stores("meta").put(codes, "codes");
    stores("meta").put(response.headers.get("etag"), "codesTag");
  });
  session.codes = codes;
}
