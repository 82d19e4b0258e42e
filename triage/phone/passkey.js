// Unlocking with the phone's own lock (WebAuthn with the PRF extension). The secret stays in the phone's secure
// hardware, which limits guessing; a six-digit PIN alone cannot stop somebody who copied the phone's storage.
// Offered where the phone can do it, beside the PIN.
import { random } from "./vault.js";

/** @typedef {{id: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>}} Passkey */

const relyingParty = () => ({ id: location.hostname, name: "Street Triage" });
/** @param {BufferSource} salt */
const prf = (salt) => /** @type {any} */ ({ prf: { eval: { first: salt } } });

/**
 * Whether this phone has a lock of its own that a page may use; whether it can also give a key shows when it is
 * tried.
 */
export async function isOffered() {
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
        pubKeyCredParams: [
          { type: "public-key", alg: -7 },
          { type: "public-key", alg: -257 },
        ],
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
  const info = new TextEncoder().encode("triage data key");
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["wrapKey", "unwrapKey"],
  );
}
