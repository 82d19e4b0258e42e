// IndexedDB, with two rules that everything rests on:
//   1. A write is one transaction, made only when everything it needs is ready. A transaction that waits for WebCrypto
//      or for the network commits half done, so nothing but the database is awaited inside one.
//   2. A connection that the system took away (iOS does, in the background) is dropped and opened once more. A write
//      that fails all the same throws, and the screen says so: nothing is ever called saved that is not.

/** @typedef {(store: string) => IDBObjectStore} Stores */

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

  /** @param {string} store @param {IDBValidKey} key @returns {Promise<any>} undefined where there is none */
  async get(store, key) {
    return (await this.#transaction("readonly", (stores) => stores(store).get(key))).result;
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
