// Who is signed in, and when nobody is any more: opened, locked, taken off the phone.
import { forgetAccount } from "./accounts.js";
import * as clock from "./clock.js";
import { currentScreen, go } from "./screen.js";
import { session } from "./state.js";
import { drawStatus } from "./status.js";
import { soon } from "./sync.js";
import * as update from "./update.js";
import { sealReceived } from "./upkeep.js";
import * as vault from "./vault.js";
import { call } from "./wire.js";

/** @typedef {import("./accounts.js").Account} Account */

const LOCK_AFTER = 120_000;
let touchedAt = Date.now(),
  hiddenAt = 0;

/** @param {Account} account @param {CryptoKey} dataKey */
export async function opened(account, dataKey) {
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
  await db.write((stores) => {
    stores("meta").put(0, "tries");
  });
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

/**
 * The service took this phone off the team, or its owner emptied it.
 * @param {Account} account
 * @param {string} title
 * @param {string} text
 */
export async function wipe(account, title, text) {
  await call(`/v1/devices/${account.profile.device}/wiped`, {}, account.sendToken ?? account.token).catch(() => null);
  const shown = session.account === account || ["lock", "enrol"].includes(currentScreen());
  if (session.account === account) leave();
  if (await forgetAccount(account)) {
    localStorage.clear();
    await update.forget();
  }
  if (shown) await go("wiped", title, text);
}

/** Whether a new release may be taken without disturbing anybody. */
export const isIdle = () => !session.account && !document.querySelector(".dots .full") && currentScreen() === "lock";

for (const event of ["pointerdown", "keydown"])
  addEventListener(
    event,
    () => {
      touchedAt = Date.now();
    },
    { passive: true },
  );
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") hiddenAt = Date.now();
  else if (Date.now() - hiddenAt > LOCK_AFTER) lock();
});
setInterval(() => {
  if (Date.now() - touchedAt > LOCK_AFTER) lock();
}, 5_000);
