// The one line that must never lie: counts from the disk, the time of the last answer, and why nothing moves.
import { accounts } from "./accounts.js";
import * as clock from "./clock.js";
import { button, h } from "./dom.js";
import { go } from "./screen.js";
import { session } from "./state.js";
import * as update from "./update.js";

/**
 * What the line says.
 * @param {{state: string}[]} own
 * @param {import("./accounts.js").Status} status
 * @param {number} others unsent of other people
 * @returns {{level: "good" | "warn" | "bad", text: string, trouble: string, why: string}}
 */
export function statusText(own, status, others) {
  const waiting = own.filter((row) => row.state === "waiting").length;
  const refused = own.filter((row) => row.state === "refused").length,
    withLead = own.filter((row) => row.state === "quarantined").length;
  const text = waiting
    ? `${waiting} only on this phone`
    : refused || withLead
      ? "Not all received"
      : own.length
        ? "All received"
        : "Nothing to send";
  const trouble = [
    refused && `${refused} ${refused === 1 ? "needs" : "need"} you`,
    withLead && `${withLead} with the lead`,
    others && `${others} of somebody else`,
  ]
    .filter(Boolean)
    .join(", ");
  const last =
    status.lastContact === null ? "No contact yet" : `Last contact ${clock.dayTime(status.lastContact, clock.now())}`;
  const why = status.phase === "talking" ? "Sending…" : status.phase === "idle" ? last : `${status.why}. ${last}`;
  return {
    level: refused || status.phase === "stopped" ? "bad" : waiting || withLead || others ? "warn" : "good",
    text,
    trouble,
    why,
  };
}

/** Draw the line, where somebody is signed in. */
export async function drawStatus() {
  const bar = /** @type {HTMLElement} */ (document.getElementById("status"));
  const { account } = session;
  if (!account) {
    bar.hidden = true;
    return;
  }
  const own = await account.db.all("outbox");
  const others = (
    await Promise.all(
      [...accounts.values()]
        .filter((other) => other !== account)
        .map(async ({ db }) => (await db.all("outbox")).filter((row) => row.state === "waiting").length),
    )
  ).reduce((sum, n) => sum + n, 0);
  if (session.account !== account) return;
  const { level, text, trouble, why } = statusText(own, account.status, others);
  const line = h("span.line", null, h("b", null, text), trouble && h("em", null, trouble), h("small", null, why));
  const training = account.profile.training ? h("strong.training", null, "Training: counts nowhere") : null;
  const fresh = h(
    "div",
    null,
    training,
    button(".state", [h("i", { "aria-hidden": "true" }), line], () => go("outbox")),
    update.ready() ? button(".quiet", "New version", update.take) : null,
  );
  bar.hidden = false;
  bar.className = level;
  if (bar.innerHTML !== fresh.outerHTML) bar.replaceChildren(fresh);
}
