// The way back in: a PIN that is counted, the phone's own lock, somebody else of a shared phone.
import { accounts, rememberLast, shutOut } from "./accounts.js";
import { button, h, notify } from "./dom.js";
import { drawEnrol } from "./enrol.js";
import { keypad } from "./keypad.js";
import { opened } from "./lock.js";
import { passkeyKey } from "./passkey.js";
import { go } from "./screen.js";
import * as vault from "./vault.js";
import { count } from "./words.js";

/** @typedef {import("./accounts.js").Account} Account */

const TRIES = 10;

/** @param {Account} account @param {string} [problem] */
export async function drawLock(account, problem = "") {
  const keys = await account.db.get("meta", "keys");
  if (!keys) return drawEnrol(await emptied(account));
  const tries = (await account.db.get("meta", "tries")) ?? 0;
  const waiting = (await account.db.all("outbox")).filter((row) => row.state === "waiting").length;
  const wrong = tries ? `Wrong PIN. ${count(TRIES - tries, "try", "tries")} left.` : "";
  return [
    ...keypad(account.profile.name, "PIN", (pin) => tryPin(account, pin), problem || wrong),
    waiting ? h("p.unsent", null, `${count(waiting, "entry waits", "entries wait")} to be sent.`) : null,
    h(
      "div.grid",
      null,
      keys.passkey ? button(".option", "Use this phone’s lock", () => tryPasskey(account, keys.passkey)) : null,
      button(".option", "Somebody else", () => go("people")),
    ),
  ];
}

/** @param {Account} account @param {string} pin */
async function tryPin(account, pin) {
  const tries = ((await account.db.get("meta", "tries")) ?? 0) + 1;
  await account.db.write((stores) => {
    stores("meta").put(tries, "tries");
  }); // counted before it is tried
  let dataKey;
  try {
    dataKey = await vault.unwrapWithPin((await account.db.get("meta", "keys")).pin, pin);
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
    dataKey = await vault.unwrap(passkey, await passkeyKey(passkey));
  } catch {
    return notify("That did not open it. Use the PIN.", "bad");
  }
  await opened(account, dataKey);
}

/** @param {Account} account */
async function emptied(account) {
  const waiting = (await account.db.all("outbox")).filter((row) => row.state !== "received").length;
  return `Ten wrong PINs: this phone was emptied.${waiting ? ` ${count(waiting, "entry", "entries")} not sent yet: kept, and sent without you.` : ""}`;
}

/** Others on a shared phone. */
export function drawPeople() {
  return [
    h("header", null, h("h1", null, "Who are you?")),
    h(
      "ul.list",
      null,
      [...accounts.values()].map((account) =>
        h(
          "li",
          null,
          button(".row", [h("b", null, account.profile.name)], async () => {
            await rememberLast(account.profile.staff);
            await go("lock", account);
          }),
        ),
      ),
    ),
    button(".primary.big", "I have a code", () => go("enrol")),
  ];
}

/** @param {string} title @param {string} text */
export const drawWiped = (title, text) => [
  h("header", null, h("h1", null, title)),
  h("p", null, text),
  button(".primary.big", "Sign in", () => location.reload()),
];
