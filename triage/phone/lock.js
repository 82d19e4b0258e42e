// Who is signed in, the way back in (a PIN that is counted, the phone's own lock, somebody else of a shared phone), and
// when nobody is signed in any more: locked, shut out, taken off the phone.
import {
  accounts,
  forgetAccount,
  installation,
  keepAccount,
  keepBegun,
  lastAccount,
  rememberLast,
  renewAccount,
  shutOut,
  waiting,
} from "./accounts.js";
import * as clock from "./clock.js";
import { alert, button, count, h, input, list, notify } from "./dom.js";
import { currentScreen, drawStatus, forgetApp, go, isReleaseReady, takeRelease } from "./screen.js";
import { session } from "./state.js";
import { answerOf, call, expire, sealReceived, soon } from "./sync.js";
import * as vault from "./vault.js";

/** @typedef {import("./accounts.js").Account} Account */

const LOCK_AFTER = 120_000,
  DIGITS = 6,
  TRIES = 10;
let touchedAt = Date.now(),
  hiddenAt = 0;

/** @param {Account} account @param {CryptoKey} dataKey */
export async function opened(account, dataKey) {
  const { db, status } = account;
  const [sealed, codes, offset] = await db.some("meta", "token", "codes", "offset");
  Object.assign(account, { dataKey, token: await vault.open(dataKey, sealed, "meta/token") });
  Object.assign(session, { account, codes });
  clock.setZone(account.profile.zone);
  clock.setOffset(offset ?? clock.getOffset());
  touchedAt = Date.now();
  await db.put("meta", { tries: 0 });
  await sealReceived(account);
  await expire(account);
  await go("home");
  performance.mark("home");
  if (status.phase === "stopped") status.phase = "idle";
  soon();
}

/** Out of sight: keys, token and records leave the memory. What is unsent goes out by the send token. */
export async function lock() {
  const { account } = session;
  if (!account) return;
  account.dataKey = account.token = null;
  leave();
  await go("lock", account);
  if (isReleaseReady()) takeRelease();
  soon();
}

/** Nothing of anybody is left in memory or on the screen. */
function leave() {
  Object.assign(session, { account: null, codes: null, incidents: [], entries: [], drafts: [], asks: [] });
  return drawStatus();
}

/** The service took this phone off the team, or its owner emptied it.
 * @param {Account} account @param {string} why */
export async function wipe(account, why) {
  await call(`/v1/devices/${account.profile.device}/wiped`, {}, account.sendToken ?? account.token).catch(() => null);
  const shown = session.account === account || ["lock", "enrol"].includes(currentScreen());
  if (session.account === account) leave();
  if (await forgetAccount(account)) {
    localStorage.clear();
    await forgetApp();
  }
  if (shown) await go("wiped", why);
}

/** @param {string} why */
export const drawWiped = (why) => [
  h("header", h("h1", "This phone was emptied")),
  h("p", `It was taken off the team. ${why}Ask for a new code to use it again.`),
  button(".primary.big", "Sign in", () => location.reload()),
];

/** Whether a new release may be taken without disturbing anybody. */
export const isIdle = () => !session.account && !document.querySelector(".dots .full") && currentScreen() === "lock";

/** @param {Account} account @param {string} [problem] */
export async function drawLock(account, problem = "") {
  const [keys, tries] = await account.db.some("meta", "keys", "tries");
  const unsent = (await waiting(account)).length;
  if (!keys) {
    go(
      "enrol",
      `Ten wrong PINs: this phone was emptied.${unsent ? ` ${count(unsent, "entry", "entries")} not sent yet: kept, and sent without you.` : ""}`,
    );
    return [];
  }
  const wrong = tries ? `Wrong PIN. ${count(TRIES - tries, "try", "tries")} left.` : "";
  return [
    keypad(account.profile.name, "PIN", (pin) => tryPin(account, pin), problem || wrong),
    unsent ? h("p.unsent", `${count(unsent, "entry waits", "entries wait")} to be sent.`) : null,
    h(
      "div.grid",
      keys.passkey && button(".option", "Use this phone’s lock", () => tryPasskey(account, keys.passkey)),
      button(".option", "Somebody else", () => go("people")),
    ),
  ];
}

/** @param {Account} account @param {string} pin */
async function tryPin(account, pin) {
  const { db } = account;
  const tries = ((await db.get("meta", "tries")) ?? 0) + 1;
  // counted before it is tried
  await db.put("meta", { tries });
  let dataKey;
  try {
    dataKey = await vault.unwrapWithPin((await db.get("meta", "keys")).pin, pin);
  } catch {
    if (tries >= TRIES) await shutOut(account);
    return go("lock", account);
  }
  await opened(account, dataKey);
}

/** @param {Account} account @param {any} passkey */
async function tryPasskey(account, passkey) {
  let dataKey;
  try {
    dataKey = await vault.unwrap(passkey, await vault.passkeyKey(passkey));
  } catch {
    return notify("That did not open it. Use the PIN.", "bad");
  }
  await opened(account, dataKey);
}

/** Others on a shared phone. */
export const drawPeople = () => [
  h("header", h("h1", "Who are you?")),
  list([...accounts.values()], (account) =>
    button(".row", h("b", account.profile.name), async () => {
      await rememberLast(account.profile.staff);
      await go("lock", account);
    }),
  ),
  button(".primary.big", "I have a code", () => go("enrol")),
];

/** Six digits, by thumb or keyboard.
 * @param {string} title @param {string} hint @param {(pin: string) => unknown} done @param {string} problem */
export function keypad(title, hint, done, problem) {
  let pin = "",
    busy = false;
  const dots = h("p.dots", { "aria-hidden": "true" }),
    said = h("p.hidden", { role: "status" });
  const show = () => {
    dots.replaceChildren(...Array.from({ length: DIGITS }, (_, index) => h(index < pin.length ? "i.full" : "i")));
    said.textContent = pin ? `${count(pin.length, "digit")} of ${DIGITS}` : "";
  };
  const press = async (/** @type {string} */ key) => {
    if (busy) return;
    pin = key === "Delete" ? pin.slice(0, -1) : pin + key;
    show();
    if (pin.length < DIGITS) return;
    busy = true;
    await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
    try {
      await done(pin);
    } catch {
      notify("Not saved. Try again.", "bad");
      pin = "";
      show();
    }
    busy = false;
  };
  show();
  typed = press;
  const key = (/** @type {string} */ text, name = text) =>
    h("button", { type: "button", "aria-label": name, onclick: () => press(name) }, text);
  return [
    h("h1", title),
    h("p", hint),
    dots,
    said,
    problem && alert(problem),
    h(
      "div.keypad",
      [..."123456789"].map((digit) => key(digit)),
      h("span"),
      key("0"),
      key("⌫", "Delete"),
    ),
  ];
}
/** @type {(key: string) => void} */
let typed = () => {};

addEventListener("keydown", ({ key }) => {
  if (!document.querySelector(".keypad")) return;
  if (/^\d$/.test(key)) typed(key);
  if (key === "Backspace") typed("Delete");
});
const touched = () => {
  touchedAt = Date.now();
};
for (const event of ["pointerdown", "keydown"]) addEventListener(event, touched, { passive: true });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") hiddenAt = Date.now();
  else if (Date.now() - hiddenAt > LOCK_AFTER) lock();
});
setInterval(() => {
  if (Date.now() - touchedAt > LOCK_AFTER) lock();
}, 5_000);

// The first time on a phone: a one-time code, a PIN chosen twice, and the phone's own lock where it can be used.

/** @typedef {{device: string, sendToken: string}} Begun */

/** The first screen of all. @param {Begun | null} begun a sign-in that was not finished */
export async function begin(begun) {
  const account = await lastAccount(),
    problem = begun ? abandon(begun) : "";
  if (account && !codeInAddress()) await go("lock", account, problem);
  else await go("enrol", problem);
}

/**
 * The phone died between the code and the PIN, and what it was given with its memory: the device that nobody can use is
 * taken off the team's list, now or at the next start.
 * @param {Begun} begun
 */
function abandon({ device, sendToken }) {
  call(`/v1/devices/${device}/wiped`, {}, sendToken)
    .then(async ({ status }) => {
      if (status < 500) await keepBegun(null);
    })
    .catch(() => null);
  return "The last code was used, but no PIN was chosen. Ask for a new code.";
}

const codeInAddress = () => new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
const forgetAddress = () => history.replaceState(null, "", "/app");
/** An iPhone's browser tab and the installed app keep two storages, and a tab's is deleted after a week. */
const mustBeInstalled = () => /** @type {any} */ (navigator).standalone === false;

/** @param {string} text @param {...import("./dom.js").Child} more */
const welcome = (text, ...more) =>
  h("div.welcome", h("img", { src: "/app/icon.svg", alt: "", width: 72, height: 72 }), h("h1", text), more);

/** @param {string} [problem] */
export function drawEnrol(problem = "") {
  const code = codeInAddress();
  if (mustBeInstalled()) return drawInstall(code);
  const field = input("code", { name: "code", value: code, autocomplete: "one-time-code", required: true });
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await enrol(field.value.trim());
    } catch (error) {
      await go("enrol", /** @type {any} */ (error).why ?? "This phone has a fault. Try again.");
    }
  };
  const toLock = async () => {
    forgetAddress();
    await go("lock", await lastAccount());
  };
  return [
    welcome("Street Triage", h("p", "Ask your sergeant or clinical lead for a code. It works once, for 15 minutes.")),
    h(
      "form",
      { onsubmit },
      h("label", { htmlFor: "code" }, "Code"),
      field,
      problem && alert(problem),
      h("button.primary.big", "Sign in"),
    ),
    session.account
      ? button(".quiet", "Back", () => go("home"))
      : accounts.size > 0 && button(".quiet", "Back to the PIN", toLock),
  ];
}

/** @param {string} code */
const drawInstall = (code) => [
  welcome("Put it on the Home Screen first"),
  h(
    "ol.steps",
    h("li", "Tap Share, below in Safari."),
    h("li", "Choose “Add to Home Screen”."),
    h("li", "Open Street Triage from there", code ? " and type this code:" : "."),
  ),
  code && h("p.code", code),
];

/** @type {{code: string, answer: any} | null} a code that was taken, of a sign-in that is not finished */
let redeemed = null;

/** @param {string} code */
async function enrol(code) {
  if (redeemed?.code !== code) redeemed = { code, answer: await redeem(code) };
  const { answer } = redeemed;
  const [me, codes] = await Promise.all(
    ["/v1/me", "/v1/codes"].map(async (path) => answerOf(await call(path, undefined, answer.token))),
  );
  redeemed = null;
  forgetAddress();
  const { account } = session;
  if (account?.dataKey && account.profile.staff === me.actor.staff_id) return signInAgain(account, answer);
  await lock();
  await go("pin", { answer, me, codes });
}

/** Change a code, which is good once, for a device and its tokens. @param {string} code */
async function redeem(code) {
  const response = await call("/v1/devices", { code, name: deviceName(), installation: await installation() }, null);
  const answer = await answerOf(response);
  if (response.status !== 201)
    throw { why: REFUSALS[response.status] ?? "That code is not right. Check it, or ask for a new one." };
  await keepBegun({ device: answer.device_id, sendToken: answer.send_token });
  return answer;
}
/** @type {Record<number, string>} */
const REFUSALS = {
  410: "That code was used or is too old. Ask for a new one.",
  429: "Too many tries. Wait a little, then ask for a new code.",
};

/** A new code for who is signed in already: the PIN, the drafts and what waits stay.
 * @param {Account} account @param {any} answer */
async function signInAgain(account, answer) {
  const token = await vault.seal(/** @type {CryptoKey} */ (account.dataKey), answer.token, "meta/token");
  await renewAccount(account, answer.device_id, { token, sendToken: answer.send_token }, answer.token);
  await go("home");
  soon();
}

const deviceName = () => /iPhone|iPad|Android/.exec(navigator.userAgent)?.[0] ?? "Browser";

/** Twice, so that a slip does not lock its owner out.
 * @param {any} enrolled @param {string} [first] @param {string} [problem] */
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
      sendToken: answer.send_token,
      codes,
    },
  );
  await navigator.storage?.persist?.();
  if (await vault.hasPasskeys()) await go("passkey", account, fresh, dataKey);
  else await opened(account, dataKey);
}

/** @param {Account} account @param {CryptoKey} fresh the data key while it can still be wrapped
 * @param {CryptoKey} dataKey */
export function drawPasskey(account, fresh, dataKey) {
  const { db, profile } = account;
  const use = async () => {
    const passkey = await vault.createPasskey(profile.name).catch(() => null);
    if (!passkey) notify("This phone’s lock cannot do it. The PIN will.", "bad");
    else {
      const keys = await db.get("meta", "keys"),
        wrapped = await vault.wrap(fresh, await vault.passkeyKey(passkey));
      await db.put("meta", { keys: { ...keys, passkey: { ...passkey, ...wrapped } } });
    }
    await opened(account, dataKey);
  };
  return [
    h("header", h("h1", "Use this phone’s lock?")),
    h(
      "p",
      "Finger, face or the phone’s own code then opens the app. It is safer than a PIN if somebody copies the phone’s memory.",
    ),
    button(".primary.big", "Use this phone’s lock", use),
    button("", "PIN only", () => opened(account, dataKey)),
  ];
}
