// Keys. Two of them, for two different dangers:
//   the data key   – random AES-GCM-256, wrapped by the PIN (PBKDF2) or by a passkey. It opens the token, incidents,
//                    drafts and what was received. Out of memory while the app is locked.
//   the device key – random AES-GCM-256. It seals what waits to be sent, so that this can be sealed and sent without
//                    the PIN. It stops a casual look, not somebody who copied the phone's raw storage.

/** @typedef {{iv: Uint8Array<ArrayBuffer>, sealed: Uint8Array<ArrayBuffer>}} Sealed */
/** @typedef {{iv: Uint8Array<ArrayBuffer>, wrapped: Uint8Array<ArrayBuffer>}} WrappedKey */
/** @typedef {WrappedKey & {salt: Uint8Array<ArrayBuffer>, iterations: number}} PinWrappedKey */

const ITERATIONS = 600_000;
const AES = { name: "AES-GCM", length: 256 };
/** @type {[AesKeyGenParams, boolean, KeyUsage[]]} */
const WRAPPING = [AES, false, ["wrapKey", "unwrapKey"]];
/** @type {KeyUsage[]} */
const USES = ["encrypt", "decrypt"];
const encoder = new TextEncoder(),
  decoder = new TextDecoder();

/** @param {number} length */
export const random = (length) => crypto.getRandomValues(new Uint8Array(length));

/** @param {string} pin @param {Uint8Array<ArrayBuffer>} salt @param {number} iterations */
async function keyFromPin(pin, salt, iterations) {
  const material = await crypto.subtle.importKey("raw", encoder.encode(pin), "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, material, ...WRAPPING);
}

/** A new data key that can still be wrapped; `sealedIn` gives the one to work with. */
export const createDataKey = () => crypto.subtle.generateKey(AES, true, USES);

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
  crypto.subtle.unwrapKey("raw", wrapped, wrappingKey, { name: "AES-GCM", iv }, "AES-GCM", false, USES);

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
export const importKey = (bytes) => crypto.subtle.importKey("raw", bytes, "AES-GCM", false, USES);

// The phone's own lock (WebAuthn with the PRF extension). Its secret stays in the phone's secure hardware, which limits
// guessing; a six-digit PIN alone cannot stop somebody who copied the phone's storage.

/** @typedef {{id: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>}} Passkey */

const relyingParty = () => ({ id: location.hostname, name: "Street Triage" });
/** @param {BufferSource} salt */
const prf = (salt) => /** @type {any} */ ({ prf: { eval: { first: salt } } });

/**
 * Whether this phone has a lock of its own that a page may use; whether it can also give a key shows when it is
 * tried.
 */
export async function hasPasskeys() {
  return !!window.PublicKeyCredential && (await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable());
}

/**
 * Make a passkey on this phone; null where the phone cannot derive a key from it.
 * @param {string} name shown by the phone
 * @returns {Promise<Passkey | null>}
 */
export async function createPasskey(name) {
  const salt = random(32);
  const created = /** @type {PublicKeyCredential | null} */ (
    await navigator.credentials.create({
      publicKey: {
        rp: relyingParty(),
        user: { id: random(16), name, displayName: name },
        challenge: random(32),
        pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: {
          authenticatorAttachment: "platform",
          residentKey: "required",
          userVerification: "required",
        },
        extensions: prf(salt),
      },
    })
  );
  const results = /** @type {any} */ (created?.getClientExtensionResults());
  return created && results.prf?.enabled ? { id: new Uint8Array(created.rawId), salt } : null;
}

/**
 * The wrapping key that the passkey gives; asks for finger, face or the phone's code. Works offline.
 * @param {Passkey} passkey
 */
export async function passkeyKey({ id, salt }) {
  const credential = /** @type {PublicKeyCredential} */ (
    await navigator.credentials.get({
      publicKey: {
        challenge: random(32),
        rpId: relyingParty().id,
        userVerification: "required",
        allowCredentials: [{ type: "public-key", id }],
        extensions: prf(salt),
      },
    })
  );
  const secret = /** @type {any} */ (credential.getClientExtensionResults()).prf?.results?.first;
  if (!secret) throw new Error("the passkey gave no key");
  const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const info = encoder.encode("triage data key");
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info },
    material,
    ...WRAPPING,
  );
}

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
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
