// Start: every screen by its name, and what makes them change.
import { accounts, lastAccount, loadAccounts } from "./accounts.js";
import { drawAbout, drawEmpty } from "./about.js";
import * as clock from "./clock.js";
import { begin, drawEnrol, drawPasskey, drawPin } from "./enrol.js";
import { drawForm } from "./form.js";
import { drawHome } from "./home.js";
import { drawEntry, drawIncident, drawWithdraw } from "./incident.js";
import { drawIntent, drawReferrer, drawTests } from "./intent.js";
import { isIdle, wipe } from "./lock.js";
import { drawOutbox } from "./outbox.js";
import { drawPerson } from "./person.js";
import { go, refresh, register } from "./screen.js";
import { drawJoin, drawScan, drawShare } from "./share.js";
import { session } from "./state.js";
import { drawStatus } from "./status.js";
import { listeners, soon } from "./sync.js";
import { drawLock, drawPeople, drawWiped } from "./unlock.js";
import * as update from "./update.js";
import { expire } from "./upkeep.js";

const REDRAW = 20_000;

register({
  enrol: { draw: drawEnrol, locked: true },
  pin: { draw: drawPin, locked: true },
  passkey: { draw: drawPasskey, locked: true },
  lock: { draw: drawLock, locked: true },
  people: { draw: drawPeople, locked: true },
  wiped: { draw: drawWiped, locked: true },
  home: { draw: drawHome, live: true },
  incident: { draw: drawIncident, live: true },
  entry: { draw: drawEntry, live: true },
  outbox: { draw: drawOutbox, live: true },
  intent: { draw: drawIntent },
  tests: { draw: drawTests },
  referrer: { draw: drawReferrer },
  form: { draw: drawForm },
  withdraw: { draw: drawWithdraw },
  share: { draw: drawShare },
  join: { draw: drawJoin },
  scan: { draw: drawScan },
  person: { draw: drawPerson },
  about: { draw: drawAbout },
  empty: { draw: drawEmpty },
});

listeners.changed = async () => {
  await drawStatus();
  if (session.account && session.account.status.phase !== "talking") await refresh();
};
listeners.wiped = (account) =>
  wipe(
    account,
    "This phone was emptied",
    "It was taken off the team. Everything unsent was sent first. Ask for a new code to use it again.",
  );

/** The system's back button leads home, not out of the app. */
addEventListener("popstate", () => {
  if (session.account) go("home");
});
setInterval(() => listeners.changed(), REDRAW);

async function start() {
  await loadAccounts();
  const last = await lastAccount();
  if (last) clock.setOffset((await last.db.get("meta", "offset")) ?? 0);
  for (const account of accounts.values()) await expire(account);
  await begin();
  performance.mark("interactive");
  /** @type {any} */ (window).started?.();
  soon();
  await update.register(() => {
    if (isIdle()) update.take();
    else listeners.changed();
  });
}

start();
