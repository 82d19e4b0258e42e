// Start: every screen by its name, and what makes them change.
import { accounts, lastAccount, loadAccounts } from "./accounts.js";
import * as clock from "./clock.js";
import { drawForm } from "./form.js";
import { drawAbout, drawEmpty, drawHome, drawJoin, drawScan, drawShare } from "./home.js";
import { drawEntry, drawIncident, drawOutbox, drawPerson, drawWithdraw } from "./incident.js";
import { drawIntent, drawReferrer, drawTests } from "./intent.js";
import { begin, drawEnrol, drawLock, drawPasskey, drawPeople, drawPin, drawWiped, isIdle, wipe } from "./lock.js";
import { drawStatus, followReleases, go, refresh, register, takeRelease } from "./screen.js";
import { session } from "./state.js";
import { expire, listeners, soon } from "./sync.js";

const REDRAW = 20_000;

register(
  { enrol: drawEnrol, pin: drawPin, passkey: drawPasskey, lock: drawLock, people: drawPeople, wiped: drawWiped },
  "locked",
);
register({ home: drawHome, incident: drawIncident, entry: drawEntry, outbox: drawOutbox }, "live");
register({
  intent: drawIntent,
  tests: drawTests,
  referrer: drawReferrer,
  form: drawForm,
  withdraw: drawWithdraw,
  share: drawShare,
  join: drawJoin,
  scan: drawScan,
  person: drawPerson,
  about: drawAbout,
  empty: drawEmpty,
});

listeners.changed = async () => {
  await drawStatus();
  if (session.account && session.account.status.phase !== "talking") await refresh();
};
listeners.wiped = (account) => wipe(account, "Everything unsent was sent first. ");

/** The system's back button leads home, not out of the app. */
addEventListener("popstate", () => {
  if (session.account) go("home");
});
setInterval(() => listeners.changed(), REDRAW);

async function start() {
  const begun = await loadAccounts();
  const last = await lastAccount();
  if (last) clock.setOffset((await last.db.get("meta", "offset")) ?? 0);
  for (const account of accounts.values()) await expire(account);
  await begin(begun);
  performance.mark("interactive");
  /** @type {any} */ (window).started?.();
  soon();
  await followReleases(() => {
    if (isIdle()) takeRelease();
    else listeners.changed();
  });
}

start();
