// Keys. Two of them, for two different dangers:
//   the data key   – random AES-GCM-256, wrapped by the PIN (PBKDF2) or by a passkey. It opens the token, incidents,
//                    drafts and what was received. Out of memory while the app is locked.
//   the device key – random AES-GCM-256. It seals what waits to be sent, so that this can be sealed and sent without
//                    the PIN. It stops a casual look, not somebody who copied the phone's raw storage.

/** @typedef {{iv: Uint8Array<ArrayBuffer>, sealed: Uint8Array<ArrayBuffer>}} Sealed */
/** @typedef {{iv: Uint8Array<ArrayBuffer>, wrapped: Uint8Array<ArrayBuffer>}} WrappedKey */
/** @typedef {WrappedKey & {salt: Uint8Array<ArrayBuffer>, iterations: number}} PinWrappedKey */

const ITERATIONS = 600_000;
const encoder = new TextEncoder(),
  decoder = new TextDecoder();

/** @param {number} length */
export const random = (length) => crypto.getRandomValues(new Uint8Array(length));

/** @param {string} pin @param {Uint8Array<ArrayBuffer>} salt @param {number} iterations */
async function keyFromPin(pin, salt, iterations) {
  const material = await crypto.subtle.importKey("raw", encoder.encode(pin), "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["wrapKey", "unwrapKey"],
  );
}

/** A new data key that can still be wrapped; `sealedIn` gives the one to work with. */
export const createDataKey = () =>
  crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);

/** The same data key, no longer to be taken out of the browser. @param {CryptoKey} dataKey */
export const sealedIn = async (dataKey) => importKey(new Uint8Array(await crypto.subtle.exportKey("raw", dataKey)));

/** @param {CryptoKey} dataKey @param {CryptoKey} wrappingKey @returns {Promise<WrappedKey>} */
export async function wrap(dataKey, wrappingKey) {
  const iv = random(12);
  return {
    iv,
    wrapped: new Uint8Array(await crypto.subtle.wrapKey("raw", dataKey, wrappingKey, { name: "AES-GCM", iv })),
  };
}

/**
 * Throws OperationError for another key than the one that wrapped it.
 * @param {WrappedKey} wrapped
 * @param {CryptoKey} wrappingKey
 */
export const unwrap = ({ iv, wrapped }, wrappingKey) =>
  crypto.subtle.unwrapKey("raw", wrapped, wrappingKey, { name: "AES-GCM", iv }, "AES-GCM", false, [
    "encrypt",
    "decrypt",
  ]);

/** @param {CryptoKey} dataKey @param {string} pin @returns {Promise<PinWrappedKey>} */
export async function wrapWithPin(dataKey, pin) {
  const salt = random(16);
  return { ...(await wrap(dataKey, await keyFromPin(pin, salt, ITERATIONS))), salt, iterations: ITERATIONS };
}

/** Throws OperationError for a wrong PIN. @param {PinWrappedKey} wrapped @param {string} pin */
export const unwrapWithPin = async (wrapped, pin) =>
  unwrap(wrapped, await keyFromPin(pin, wrapped.salt, wrapped.iterations));

/**
 * A key from its 32 bytes. The device key is kept as bytes: a browser writes a stored CryptoKey to disk in clear all
 * the same, and some iPhones refuse to store one.
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export const importKey = (bytes) => crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);

/** `place` binds the sealed value to where it lies: a value copied under another id does not open.
 * @param {CryptoKey} key @param {unknown} value @param {string} place @returns {Promise<Sealed>} */
export async function seal(key, value, place) {
  const iv = random(12),
    additionalData = encoder.encode(place);
  const plain = encoder.encode(JSON.stringify(value));
  return {
    iv,
    sealed: new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, plain)),
  };
}

/** @param {CryptoKey} key @param {Sealed} kept @param {string} place @returns {Promise<any>} */
export async function open(key, { iv, sealed }, place) {
  const additionalData = encoder.encode(place);
  return JSON.parse(decoder.decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, sealed)));
}

/** UUID version 7 (RFC 9562): in order of time, made on the phone. */
export function uuid7(now = Date.now()) {
  const bytes = random(16),
    view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(now / 65536));
  view.setUint16(4, now % 65536);
  bytes[6] = (bytes[6] & 15) | 112;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
