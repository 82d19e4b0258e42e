// Who may see anything at all: enrol, choose a PIN, unlock, lock, ten wrong PINs, wipe.
import { accounts, forgetAccount, installation, keepAccount, lastAccount, rememberLast, renewAccount, shutOut } from "./accounts.js";
import * as clock from "./clock.js";
import { button, h, notify } from "./dom.js";
import { createPasskey, isOffered, passkeyKey } from "./passkey.js";
import { currentScreen, go } from "./screen.js";
import { session } from "./state.js";
import { drawStatus } from "./status.js";
import { soon } from "./sync.js";
import * as update from "./update.js";
import { sealReceived } from "./upkeep.js";
import * as vault from "./vault.js";
import { answerOf, call } from "./wire.js";
import { count } from "./words.js";

/** @typedef {import("./accounts.js").Account} Account */

const DIGITS = 6, TRIES = 10, LOCK_AFTER = 120_000;
let touchedAt = Date.now(), hiddenAt = 0;

/** The first screen of all. */
export async function begin() {
  const account = await lastAccount();
  if (account && !codeInAddress()) await go("lock", account); else await go("enrol");
}

const toLock = async () => { history.replaceState(null, "", "/app"); await begin(); };
const codeInAddress = () => new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
/** An iPhone's browser tab and the installed app keep two storages, and a tab's is deleted after a week. */
const mustBeInstalled = () => /** @type {any} */ (navigator).standalone === false;

// Enrol

/** @param {string} [problem] */
export function drawEnrol(problem = "") {
  if (mustBeInstalled()) return drawInstall();
  const input = /** @type {HTMLInputElement} */ (h("input", { id: "code", name: "code", value: codeInAddress(), autocomplete: "one-time-code",
    autocapitalize: "characters", spellcheck: false, required: true }));
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try { await enrol(input.value.trim()); } catch (error) { await go("enrol", /** @type {any} */ (error).why ?? "This phone has a fault. Try again."); }
  };
  return [h("div.welcome", null, h("img", { src: "/app/icon.svg", alt: "", width: 72, height: 72 }), h("h1", null, "Street Triage"),
      h("p", null, "Ask your sergeant or clinical lead for a code. It works once, for 15 minutes.")),
    h("form", { onsubmit: submit }, h("label", { htmlFor: "code" }, "Code"), input,
      problem && h("p.problem", { role: "alert" }, problem), h("button.primary.big", null, "Sign in")),
    session.account ? button(".quiet", "Back", () => go("home")) : accounts.size ? button(".quiet", "Back to the PIN", toLock) : null];
}

function drawInstall() {
  const code = codeInAddress();
  return [h("div.welcome", null, h("img", { src: "/app/icon.svg", alt: "", width: 72, height: 72 }), h("h1", null, "Put it on the Home Screen first")),
    h("ol.steps", null, h("li", null, "Tap Share, below in Safari."), h("li", null, "Choose “Add to Home Screen”."),
      h("li", null, "Open Street Triage from there", code ? " and type this code:" : ".")),
    code ? h("p.code", null, code) : null];
}

/** @param {string} code */
async function enrol(code) {
  const response = await call("/v1/devices", { code, name: deviceName(), installation: await installation() }, null);
  const answer = await answerOf(response);
  if (response.status !== 201) {
    throw { why: response.status === 410 ? "That code was used or is too old. Ask for a new one."
      : response.status === 429 ? "Too many tries. Wait a little, then ask for a new code." : "That code is not right. Check it, or ask for a new one." };
  }
  history.replaceState(null, "", "/app");
  const [me, codes] = await Promise.all(["/v1/me", "/v1/codes"].map(async (path) => answerOf(await call(path, undefined, answer.token))));
  const { account } = session;
  if (account?.dataKey && account.profile.staff === me.actor.staff_id) return signInAgain(account, answer);
  await lock();
  await go("pin", { answer, me, codes });
}

/** A new code for who is signed in already: the PIN, the drafts and what waits stay. @param {Account} account @param {any} answer */
async function signInAgain(account, answer) {
  const token = await vault.seal(/** @type {CryptoKey} */ (account.dataKey), answer.token, "meta/token");
  await renewAccount(account, answer.device_id, { token, sendToken: answer.send_token ?? null }, answer.token);
  await go("home");
  soon();
}

const deviceName = () => /iPhone|iPad/.test(navigator.userAgent) ? "iPhone" : /Android/.test(navigator.userAgent) ? "Android phone" : "Browser";

/** Twice, so that a slip does not lock its owner out. @param {any} enrolled @param {string} [first] @param {string} [problem] */
export function drawPin(enrolled, first = "", problem = "") {
  const typed = (/** @type {string} */ pin) => {
    if (!first) return go("pin", enrolled, pin);
    return first === pin ? finishEnrolment(enrolled, pin) : go("pin", enrolled, "", "The two were not the same. Choose again.");
  };
  return keypad(first ? "The same PIN again" : "Choose a PIN", "Six digits. They open this app without a connection.", typed, problem);
}

/** @param {any} enrolled @param {string} pin */
async function finishEnrolment({ answer, me, codes }, pin) {
  const fresh = await vault.createDataKey(), dataKey = await vault.sealedIn(fresh);
  const { staff_id, name, profession, role } = me.actor;
  const account = await keepAccount(
    { staff: staff_id, name, profession, role, device: answer.device_id, team: me.team.name, zone: me.team.time_zone },
    { keys: { pin: await vault.wrapWithPin(fresh, pin) }, token: await vault.seal(dataKey, answer.token, "meta/token"),
      sendToken: answer.send_token ?? null, codes });
  await navigator.storage?.persist?.();
  if (await isOffered()) await go("passkey", account, fresh, dataKey); else await opened(account, dataKey);
}

/** @param {Account} account @param {CryptoKey} fresh the data key while it can still be wrapped @param {CryptoKey} dataKey */
export function drawPasskey(account, fresh, dataKey) {
  const use = async () => {
    const passkey = await createPasskey(account.profile.name).catch(() => null);
    if (!passkey) { notify("This phone’s lock cannot do it. The PIN will.", "bad"); return opened(account, dataKey); }
    const keys = await account.db.get("meta", "keys");
    const wrapped = await vault.wrap(fresh, await passkeyKey(passkey));
    await account.db.write((stores) => { stores("meta").put({ ...keys, passkey: { ...passkey, ...wrapped } }, "keys"); });
    await opened(account, dataKey);
  };
  return [h("header", null, h("h1", null, "Use this phone’s lock?")),
    h("p", null, "Finger, face or the phone’s own code then opens the app. It is safer than a PIN if somebody copies the phone’s memory."),
    button(".primary.big", "Use this phone’s lock", use), button("", "PIN only", () => opened(account, dataKey))];
}

// Lock

/** @param {Account} account @param {string} [problem] */
export async function drawLock(account, problem = "") {
  const keys = await account.db.get("meta", "keys");
  if (!keys) return drawEnrol(await emptied(account));
  const tries = await account.db.get("meta", "tries") ?? 0;
  const waiting = (await account.db.all("outbox")).filter((row) => row.state === "waiting").length;
  const wrong = tries ? `Wrong PIN. ${count(TRIES - tries, "try", "tries")} left.` : "";
  return [...keypad(account.profile.name, "PIN", (pin) => tryPin(account, pin), problem || wrong),
    waiting ? h("p.unsent", null, `${count(waiting, "entry waits", "entries wait")} to be sent.`) : null,
    h("div.grid", null, keys.passkey ? button(".option", "Use this phone’s lock", () => tryPasskey(account, keys.passkey)) : null,
      button(".option", "Somebody else", () => go("people")))];
}

/** @param {Account} account @param {string} pin */
async function tryPin(account, pin) {
  const tries = (await account.db.get("meta", "tries") ?? 0) + 1;
  await account.db.write((stores) => { stores("meta").put(tries, "tries"); });   // counted before it is tried
  let dataKey;
  try { dataKey = await vault.unwrapWithPin((await account.db.get("meta", "keys")).pin, pin); }
  catch {
    if (tries >= TRIES) await shutOut(account);
    return go("lock", account);
  }
  await opened(account, dataKey);
}

/** @param {Account} account @param {any} passkey */
async function tryPasskey(account, passkey) {
  let dataKey;
  try { dataKey = await vault.unwrap(passkey, await passkeyKey(passkey)); } catch { return notify("That did not open it. Use the PIN.", "bad"); }
  await opened(account, dataKey);
}

/** @param {Account} account */
async function emptied(account) {
  const waiting = (await account.db.all("outbox")).filter((row) => row.state !== "received").length;
  return `Ten wrong PINs: this phone was emptied.${waiting ? ` ${count(waiting, "entry", "entries")} not sent yet: kept, and sent without you.` : ""}`;
}

/** Others on a shared phone. */
export function drawPeople() {
  return [h("header", null, h("h1", null, "Who are you?")),
    h("ul.list", null, [...accounts.values()].map((account) => h("li", null,
      button(".row", [h("b", null, account.profile.name)], async () => { await rememberLast(account.profile.staff); await go("lock", account); })))),
    button(".primary.big", "I have a code", () => go("enrol"))];
}

/** @param {Account} account @param {CryptoKey} dataKey */
async function opened(account, dataKey) {
  performance.mark("unlocked");
  const { db } = account;
  const token = await vault.open(dataKey, await db.get("meta", "token"), "meta/token");
  Object.assign(account, { dataKey, token });
  const [codes, offset] = await Promise.all([db.get("meta", "codes"), db.get("meta", "offset")]);
  session.account = account;
  session.codes = codes;
  clock.setZone(account.profile.zone);
  clock.setOffset(offset ?? clock.getOffset());
  touchedAt = Date.now();
  await db.write((stores) => { stores("meta").put(0, "tries"); });
  await sealReceived(account);
  await go("home");
  performance.mark("home");
  if (account.status.phase === "stopped") account.status.phase = "idle";
  soon();
}

/** Out of sight: keys, token and records leave the memory. What is unsent goes out by the send token. */
export async function lock() {
  const { account } = session;
  if (!account) return;
  account.dataKey = account.token = null;
  leave();
  await go("lock", account);
  if (update.ready()) update.take();
  soon();
}

/** Nothing of anybody is left in memory or on the screen. */
function leave() {
  Object.assign(session, { account: null, codes: null, incidents: [], entries: [], drafts: [], asks: [] });
  return drawStatus();
}

/** The service took this phone off the team, or its owner emptied it. @param {Account} account @param {string} title @param {string} text */
export async function wipe(account, title, text) {
  await call(`/v1/devices/${account.profile.device}/wiped`, {}, account.sendToken ?? account.token).catch(() => null);
  const shown = session.account === account || ["lock", "enrol"].includes(currentScreen());
  if (session.account === account) leave();
  if (await forgetAccount(account)) { localStorage.clear(); await update.forget(); }
  if (shown) await go("wiped", title, text);
}

/** @param {string} title @param {string} text */
export const drawWiped = (title, text) => [h("header", null, h("h1", null, title)), h("p", null, text), button(".primary.big", "Sign in", () => location.reload())];

/** @param {string} title @param {string} hint @param {(pin: string) => unknown} done @param {string} problem */
function keypad(title, hint, done, problem) {
  let pin = "", busy = false;
  const dots = h("p.dots", { "aria-hidden": "true" }), said = h("p.hidden", { role: "status" });
  const show = () => {
    dots.replaceChildren(...Array.from({ length: DIGITS }, (_, index) => h(index < pin.length ? "i.full" : "i", null)));
    said.textContent = pin ? `${count(pin.length, "digit")} of ${DIGITS}` : "";
  };
  const press = async (/** @type {string} */ key) => {
    if (busy) return;
    pin = key === "Delete" ? pin.slice(0, -1) : pin + key;
    show();
    if (pin.length < DIGITS) return;
    busy = true;
    await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
    try { await done(pin); } catch { notify("Not saved. Try again.", "bad"); pin = ""; show(); }
    busy = false;
  };
  show();
  typed = press;
  const key = (/** @type {string} */ text) => h("button", { type: "button", onclick: () => press(text) }, text);
  return [h("h1", null, title), h("p", null, hint), dots, said, problem ? h("p.problem", { role: "alert" }, problem) : null,
    h("div.keypad", null, ..."123456789".split("").map(key), h("span"), key("0"),
      h("button", { type: "button", "aria-label": "Delete", onclick: () => press("Delete") }, "⌫"))];
}
/** @type {(key: string) => void} */
let typed = () => {};

addEventListener("keydown", (event) => {
  if (!document.querySelector(".keypad")) return;
  if (/^\d$/.test(event.key)) typed(event.key);
  if (event.key === "Backspace") typed("Delete");
});

/** Whether a new release may be taken without disturbing anybody. */
export const isIdle = () => !session.account && !document.querySelector(".dots .full") && currentScreen() === "lock";

for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => { touchedAt = Date.now(); }, { passive: true });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") hiddenAt = Date.now();
  else if (Date.now() - hiddenAt > LOCK_AFTER) lock();
});
setInterval(() => { if (Date.now() - touchedAt > LOCK_AFTER) lock(); }, 5_000);
