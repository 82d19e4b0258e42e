// The phone's disk: its database, and the people who use it.
import { importKey, uuid7 } from "./vault.js";

// IndexedDB, with two rules that everything rests on:
//   1. A write is one transaction, made only when everything it needs is ready. A transaction that waits for WebCrypto
//      or for the network commits half done, so nothing but the database is awaited inside one.
//   2. A connection that the system took away (iOS does, in the background) is dropped and opened once more. A write
//      that fails all the same throws, and the screen says so: nothing is ever called saved that is not.

/** @typedef {(store: string) => IDBObjectStore} Stores */

/** @param {IDBObjectStore} store @param {Record<string, any>} values by their keys */
export function putAll(store, values) {
  for (const [key, value] of Object.entries(values)) store.put(value, key);
}

const LOST_CONNECTION = ["InvalidStateError", "UnknownError", "AbortError"];

export class Database {
  /** @type {Promise<IDBDatabase> | null} */
  #opening = null;

  /**
   * @param {string} name
   * @param {Record<string, string | null>} stores each with its key path; null: keyed from outside
   */
  constructor(name, stores) {
    this.name = name;
    this.stores = stores;
  }

  #connect() {
    this.#opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(this.name, 1);
      const forget = () => {
        this.#opening = null;
      };
      request.onupgradeneeded = () => {
        for (const [store, keyPath] of Object.entries(this.stores)) {
          request.result.createObjectStore(store, keyPath ? { keyPath } : {});
        }
      };
      request.onsuccess = () => {
        const connection = request.result;
        connection.onclose = forget;
        connection.onversionchange = () => {
          connection.close();
          forget();
        };
        resolve(connection);
      };
      request.onerror = () => {
        forget();
        reject(request.error);
      };
      request.onblocked = () => {
        forget();
        reject(new Error("blocked by another window"));
      };
    });
    return this.#opening;
  }

  /** Run `work` in one transaction; resolves when it is on disk.
   * @template T @param {IDBTransactionMode} mode @param {(stores: Stores) => T} work @returns {Promise<T>} */
  async #transaction(mode, work, again = true) {
    const connection = await this.#connect();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = connection.transaction(Object.keys(this.stores), mode, { durability: "strict" });
        const result = work((store) => transaction.objectStore(store));
        transaction.oncomplete = () => resolve(result);
        transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      });
    } catch (error) {
      if (!again || !LOST_CONNECTION.includes(/** @type {Error} */ (error).name)) throw error;
      this.#opening = null;
      return this.#transaction(mode, work, false);
    }
  }

  /** @param {(stores: Stores) => void} work everything of it, or nothing */
  write(work) {
    return this.#transaction("readwrite", work);
  }

  /** Values by their keys, into a store that is keyed from outside.
   * @param {string} store @param {Record<string, any>} values */
  put(store, values) {
    return this.write((stores) => putAll(stores(store), values));
  }

  /** @param {string} store @param {IDBValidKey} key @returns {Promise<any>} undefined where there is none */
  async get(store, key) {
    return (await this.#transaction("readonly", (stores) => stores(store).get(key))).result;
  }

  /** @param {string} store @param {...string} keys @returns {Promise<any[]>} */
  some(store, ...keys) {
    return Promise.all(keys.map((key) => this.get(store, key)));
  }

  /** @param {string} store @returns {Promise<any[]>} */
  async all(store) {
    return (await this.#transaction("readonly", (stores) => stores(store).getAll())).result;
  }

  async destroy() {
    if (this.#opening) (await this.#opening).close();
    this.#opening = null;
    await new Promise((resolve) => {
      const request = indexedDB.deleteDatabase(this.name);
      request.onsuccess = request.onerror = request.onblocked = () => resolve(null);
    });
  }
}

// Who uses this phone. Each person has a database of their own, so that nobody sees another's rows, not even their
// kind: an intent on a nurse's list would end her blindness. One small database beside them names the phone and its
// people.

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

/**
 * Everybody of this phone, from its disk.
 * @returns {Promise<{device: string, sendToken: string} | null>} a device whose person never chose a PIN: the phone died
 * in between, and nobody has its token
 */
export async function loadAccounts() {
  /** @type {string[]} */
  const people = (await phone.get("phone", "people")) ?? [];
  for (const staff of people) await loadAccount(staff);
  const begun = await phone.get("phone", "begun");
  return begun && ![...accounts.values()].some(({ profile }) => profile.device === begun.device) ? begun : null;
}

/** A device is known before its PIN is: kept until the PIN is there.
 * @param {{device: string, sendToken: string} | null} begun */
export const keepBegun = (begun) => phone.put("phone", { begun });

/** The entries that wait to be sent. @param {Account} account @returns {Promise<any[]>} rows of the outbox */
export const waiting = async ({ db }) => (await db.all("outbox")).filter((row) => row.state === "waiting");

/** @param {string} staff */
async function loadAccount(staff) {
  const db = accounts.get(staff)?.db ?? database(staff);
  const [profile, deviceKey, sendToken, lastContact] = await db.some(
    "meta",
    "profile",
    "deviceKey",
    "sendToken",
    "lastContact",
  );
  // it was emptied halfway: there is nothing in it
  if (!profile) return null;
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
  await phone.put("phone", { installation: fresh });
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
  const people = new Set(/** @type {string[]} */ ((await phone.get("phone", "people")) ?? []));
  await phone.put("phone", { people: [...people.add(profile.staff)], last: profile.staff });
  await db.write((stores) => {
    const meta = stores("meta");
    for (const store of ["incidents", "drafts"]) stores(store).clear();
    for (const row of unreadable) stores("outbox").delete(row.id);
    for (const key of ["cursor", "asks"]) meta.delete(key);
    putAll(meta, { profile, deviceKey, tries: 0, tokenAt: Date.now(), ...kept });
  });
  await keepBegun(null);
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
  await account.db.put("meta", { profile, tokenAt: Date.now(), ...kept });
  await keepBegun(null);
  Object.assign(account, { profile, token, sendToken: kept.sendToken });
  Object.assign(account.status, { phase: "idle", until: 0, failures: 0 });
}

/** The person who used the phone last, null where nobody is on it. */
export const lastAccount = async () =>
  accounts.get(await phone.get("phone", "last")) ?? accounts.values().next().value ?? null;
/** @param {string} staff */
export const rememberLast = (staff) => phone.put("phone", { last: staff });

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
  await phone.put("phone", { people });
  await account.db.destroy();
  return !people.length;
}
