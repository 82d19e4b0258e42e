// The first time on a phone: a one-time code, a PIN chosen twice, and the phone's own lock where it can be used.
import { accounts, installation, keepAccount, lastAccount, renewAccount } from "./accounts.js";
import { button, h, notify } from "./dom.js";
import { keypad } from "./keypad.js";
import { lock, opened } from "./lock.js";
import { createPasskey, isOffered, passkeyKey } from "./passkey.js";
import { go } from "./screen.js";
import { session } from "./state.js";
import { soon } from "./sync.js";
import * as vault from "./vault.js";
import { answerOf, call } from "./wire.js";

/** @typedef {import("./accounts.js").Account} Account */

/** The first screen of all. */
export async function begin() {
  const account = await lastAccount();
  if (account && !codeInAddress()) await go("lock", account);
  else await go("enrol");
}

const toLock = async () => {
  history.replaceState(null, "", "/app");
  await begin();
};
const codeInAddress = () => new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
/** An iPhone's browser tab and the installed app keep two storages, and a tab's is deleted after a week. */
const mustBeInstalled = () => /** @type {any} */ (navigator).standalone === false;

/** @param {string} [problem] */
export function drawEnrol(problem = "") {
  if (mustBeInstalled()) return drawInstall();
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      id: "code",
      name: "code",
      value: codeInAddress(),
      autocomplete: "one-time-code",
      autocapitalize: "characters",
      spellcheck: false,
      required: true,
    })
  );
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await enrol(input.value.trim());
    } catch (error) {
      await go("enrol", /** @type {any} */ (error).why ?? "This phone has a fault. Try again.");
    }
  };
  return [
    h(
      "div.welcome",
      null,
      h("img", { src: "/app/icon.svg", alt: "", width: 72, height: 72 }),
      h("h1", null, "Street Triage"),
      h("p", null, "Ask your sergeant or clinical lead for a code. It works once, for 15 minutes."),
    ),
    h(
      "form",
      { onsubmit: submit },
      h("label", { htmlFor: "code" }, "Code"),
      input,
      problem && h("p.problem", { role: "alert" }, problem),
      h("button.primary.big", null, "Sign in"),
    ),
    session.account
      ? button(".quiet", "Back", () => go("home"))
      : accounts.size
        ? button(".quiet", "Back to the PIN", toLock)
        : null,
  ];
}

function drawInstall() {
  const code = codeInAddress();
  return [
    h(
      "div.welcome",
      null,
      h("img", { src: "/app/icon.svg", alt: "", width: 72, height: 72 }),
      h("h1", null, "Put it on the Home Screen first"),
    ),
    h(
      "ol.steps",
      null,
      h("li", null, "Tap Share, below in Safari."),
      h("li", null, "Choose “Add to Home Screen”."),
      h("li", null, "Open Street Triage from there", code ? " and type this code:" : "."),
    ),
    code ? h("p.code", null, code) : null,
  ];
}

/** @param {string} code */
async function enrol(code) {
  const response = await call("/v1/devices", { code, name: deviceName(), installation: await installation() }, null);
  const answer = await answerOf(response);
  if (response.status !== 201) {
    throw {
      why:
        response.status === 410
          ? "That code was used or is too old. Ask for a new one."
          : response.status === 429
            ? "Too many tries. Wait a little, then ask for a new code."
            : "That code is not right. Check it, or ask for a new one.",
    };
  }
  history.replaceState(null, "", "/app");
  const [me, codes] = await Promise.all(
    ["/v1/me", "/v1/codes"].map(async (path) => answerOf(await call(path, undefined, answer.token))),
  );
  const { account } = session;
  if (account?.dataKey && account.profile.staff === me.actor.staff_id) return signInAgain(account, answer);
  await lock();
  await go("pin", { answer, me, codes });
}

/**
 * A new code for who is signed in already: the PIN, the drafts and what waits stay.
 * @param {Account} account
 * @param {any} answer
 */
async function signInAgain(account, answer) {
  const token = await vault.seal(/** @type {CryptoKey} */ (account.dataKey), answer.token, "meta/token");
  await renewAccount(account, answer.device_id, { token, sendToken: answer.send_token ?? null }, answer.token);
  await go("home");
  soon();
}

const deviceName = () =>
  /iPhone|iPad/.test(navigator.userAgent)
    ? "iPhone"
    : /Android/.test(navigator.userAgent)
      ? "Android phone"
      : "Browser";

/**
 * Twice, so that a slip does not lock its owner out.
 * @param {any} enrolled
 * @param {string} [first]
 * @param {string} [problem]
 */
export function drawPin(enrolled, first = "", problem = "") {
  const typed = (/** @type {string} */ pin) => {
    if (!first) return go("pin", enrolled, pin);
    return first === pin
      ? finishEnrolment(enrolled, pin)
      : go("pin", enrolled, "", "The two were not the same. Choose again.");
  };
  return keypad(
    first ? "The same PIN again" : "Choose a PIN",
    "Six digits. They open this app without a connection.",
    typed,
    problem,
  );
}

/** @param {any} enrolled @param {string} pin */
async function finishEnrolment({ answer, me, codes }, pin) {
  const fresh = await vault.createDataKey(),
    dataKey = await vault.sealedIn(fresh);
  const { staff_id, name, profession, role } = me.actor;
  const account = await keepAccount(
    { staff: staff_id, name, profession, role, device: answer.device_id, team: me.team.name, zone: me.team.time_zone },
    {
      keys: { pin: await vault.wrapWithPin(fresh, pin) },
      token: await vault.seal(dataKey, answer.token, "meta/token"),
      sendToken: answer.send_token ?? null,
      codes,
    },
  );
  await navigator.storage?.persist?.();
  if (await isOffered()) await go("passkey", account, fresh, dataKey);
  else await opened(account, dataKey);
}

/**
 * @param {Account} account
 * @param {CryptoKey} fresh the data key while it can still be wrapped
 * @param {CryptoKey} dataKey
 */
export function drawPasskey(account, fresh, dataKey) {
  const use = async () => {
    const passkey = await createPasskey(account.profile.name).catch(() => null);
    if (!passkey) {
      notify("This phone’s lock cannot do it. The PIN will.", "bad");
      return opened(account, dataKey);
    }
    const keys = await account.db.get("meta", "keys");
    const wrapped = await vault.wrap(fresh, await passkeyKey(passkey));
    await account.db.write((stores) => {
      stores("meta").put({ ...keys, passkey: { ...passkey, ...wrapped } }, "keys");
    });
    await opened(account, dataKey);
  };
  return [
    h("header", null, h("h1", null, "Use this phone’s lock?")),
    h(
      "p",
      null,
      "Finger, face or the phone’s own code then opens the app. It is safer than a PIN if somebody copies the phone’s memory.",
    ),
    button(".primary.big", "Use this phone’s lock", use),
    button("", "PIN only", () => opened(account, dataKey)),
  ];
}
