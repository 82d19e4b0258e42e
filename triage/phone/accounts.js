// Who uses this phone. Each person has a database of their own, so that nobody sees another's rows, not even their
// kind: an intent on a nurse's list would end her blindness. One small database beside them names the phone and its
// people.
import { Database } from "./store.js";
import { importKey, uuid7 } from "./vault.js";

/**
 * @typedef {{staff: string, name: string, profession: "police" | "nurse" | "paramedic",
 * role: string, device: string, team: string, zone: string, car?: string, training?: boolean}} Profile
 */
/**
 * @typedef {{phase: "idle" | "talking" | "waiting" | "stopped", why: string, failures: number,
 * until: number, lastContact: number | null}} Status
 */
/**
 * `token` and `dataKey` are there while the person is signed in; `sendToken` sends and reads nothing.
 * @typedef {{profile: Profile, db: Database, deviceKey: CryptoKey, sendToken: string | null,
 * token: string | null, dataKey: CryptoKey | null, batch: number, codesVersion: unknown,
 * codesChecked: unknown, status: Status}} Account
 */

const phone = new Database("triage", { phone: null });
/** @param {string} staff */
const database = (staff) =>
  new Database(`triage-${staff}`, { meta: null, outbox: "id", incidents: "id", drafts: "id" });

/** @type {Map<string, Account>} by staff id */
export const accounts = new Map();

/** Everybody of this phone, from its disk. */
export async function loadAccounts() {
  /** @type {string[]} */
  const people = (await phone.get("phone", "people")) ?? [];
  for (const staff of people) await loadAccount(staff);
}

/** @param {string} staff */
export async function loadAccount(staff) {
  const db = accounts.get(staff)?.db ?? database(staff);
  const [profile, deviceKey, sendToken, lastContact] = await Promise.all(
    ["profile", "deviceKey", "sendToken", "lastContact"].map((key) => db.get("meta", key)),
  );
  if (!profile) return null; // it was emptied halfway: there is nothing in it
  /** @type {Account} */
  const account = {
    profile,
    db,
    deviceKey: await importKey(deviceKey),
    sendToken: sendToken ?? null,
    token: null,
    dataKey: null,
    batch: 50,
    codesVersion: undefined,
    codesChecked: null,
    status: { phase: "idle", why: "", failures: 0, until: 0, lastContact: lastContact ?? null },
  };
  accounts.set(staff, account);
  return account;
}

/** The id that this phone gives itself once: what was served to one of its people counts as served to all. */
export async function installation() {
  const known = await phone.get("phone", "installation");
  if (known) return known;
  const fresh = uuid7();
  await phone.write((stores) => {
    stores("phone").put(fresh, "installation");
  });
  return fresh;
}

/**
 * Put somebody on this phone. The device key stays, so that what another sign-in of the same person left unsent can
 * still be sent; what only the old PIN could open goes.
 * @param {Profile} profile
 * @param {{keys: any, token: any, sendToken: string | null, codes: any}} kept
 */
export async function keepAccount(profile, kept) {
  const db = accounts.get(profile.staff)?.db ?? database(profile.staff);
  const deviceKey = (await db.get("meta", "deviceKey")) ?? crypto.getRandomValues(new Uint8Array(32));
  const unreadable = (await db.all("outbox")).filter((row) => row.key === "data");
  await db.write((stores) => {
    const meta = stores("meta");
    for (const store of ["incidents", "drafts"]) stores(store).clear();
    for (const row of unreadable) stores("outbox").delete(row.id);
    for (const key of ["cursor", "asks"]) meta.delete(key);
    for (const [key, value] of Object.entries({ profile, deviceKey, tries: 0, tokenAt: Date.now(), ...kept }))
      meta.put(value, key);
  });
  const people = new Set(/** @type {string[]} */ ((await phone.get("phone", "people")) ?? []));
  await phone.write((stores) => {
    stores("phone").put([...people.add(profile.staff)], "people");
    stores("phone").put(profile.staff, "last");
  });
  return /** @type {Account} */ (await loadAccount(profile.staff));
}

/**
 * A new code for who is signed in: another device and token, everything else stays.
 * @param {Account} account
 * @param {string} device
 * @param {{token: any, sendToken: string | null}} kept
 * @param {string} token
 */
export async function renewAccount(account, device, kept, token) {
  const profile = { ...account.profile, device };
  await account.db.write((stores) => {
    for (const [key, value] of Object.entries({ profile, tokenAt: Date.now(), ...kept }))
      stores("meta").put(value, key);
  });
  Object.assign(account, { profile, token, sendToken: kept.sendToken });
  Object.assign(account.status, { phase: "idle", until: 0, failures: 0 });
}

/** Whoever used the phone last, if anybody. */
export const lastAccount = async () =>
  accounts.get(await phone.get("phone", "last")) ?? accounts.values().next().value ?? null;
/** @param {string} staff */
export const rememberLast = (staff) =>
  phone.write((stores) => {
    stores("phone").put(staff, "last");
  });

/**
 * Ten wrong PINs: what may be read is destroyed. What was never sent is not: it goes out by the send token, or when
 * its author signs in again.
 * @param {Account} account
 */
export async function shutOut(account) {
  account.token = account.dataKey = null;
  const received = (await account.db.all("outbox")).filter((row) => row.state === "received");
  await account.db.write((stores) => {
    stores("incidents").clear();
    stores("drafts").clear();
    for (const row of received) stores("outbox").delete(row.id);
    for (const key of ["keys", "token", "cursor", "codes", "asks", "tries"]) stores("meta").delete(key);
  });
}

/**
 * Nothing of this person stays on the phone.
 * @param {Account} account
 * @returns {Promise<boolean>} whether nobody is left on it
 */
export async function forgetAccount(account) {
  account.token = account.dataKey = account.sendToken = null;
  accounts.delete(account.profile.staff);
  const people = [...accounts.keys()];
  await phone.write((stores) => {
    stores("phone").put(people, "people");
  });
  await account.db.destroy();
  return !people.length;
}
