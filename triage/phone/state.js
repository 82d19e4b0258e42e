// What the person who is signed in has in front of them: read from disk and opened with the data key, gone on lock.
import { open } from "./vault.js";
import * as clock from "./clock.js";

/** @typedef {import("./accounts.js").Account} Account */
/**
 * An entry of the author's, with what the service said of it.
 * @typedef {{id: string, incident: string, state: "waiting" | "received" | "refused" | "quarantined",
 * holdUntil: number, answeredAt: number | null, entry: any, notices: import("./wire.js").Notice[],
 * problem: import("./wire.js").Problem | null}} OwnEntry
 */

/** @typedef {import("./wire.js").Incident} Incident */

/**
 * @type {{account: Account | null, codes: any, incidents: Incident[], entries: OwnEntry[],
 * drafts: any[], asks: import("./wire.js").Ask[]}}
 */
export const session = { account: null, codes: null, incidents: [], entries: [], drafts: [], asks: [] };

export const account = () => /** @type {Account} */ (session.account);
export const profession = () => account().profile.profession;
export const isPolice = () => profession() === "police";
/** The kind of contact that this profession records. */
export const contactKind = () => (isPolice() ? "officer" : profession());

/** Read everything again; another person's rows lie in another database. */
export async function load() {
  const of = account(),
    { db, dataKey } = of;
  if (!dataKey) return;
  const [incidents, rows, drafts, asks] = await Promise.all([
    db.all("incidents"),
    db.all("outbox"),
    db.all("drafts"),
    db.get("meta", "asks"),
  ]);
  const opened = {
    incidents: await Promise.all(incidents.map((row) => open(dataKey, row, `incidents/${row.id}`))),
    entries: await Promise.all(rows.map((row) => openRow(of, row))),
    drafts: await Promise.all(drafts.map((row) => open(dataKey, row, `drafts/${row.id}`))),
    asks: asks ? await open(dataKey, asks, "meta/asks") : [],
  };
  opened.incidents.sort((a, b) => b.occurred_at.localeCompare(a.occurred_at));
  if (session.account?.dataKey) Object.assign(session, opened);
}

/** One row of the outbox: what waits is sealed with the device key, what was received with the data key.
 * @param {Account} of @param {any} row @returns {Promise<OwnEntry>} */
export async function openRow(of, row) {
  const { id, incident, state, holdUntil, answeredAt } = row;
  const { entry, notices, problem } = await open(
    /** @type {CryptoKey} */ (row.key === "data" ? of.dataKey : of.deviceKey),
    row,
    `outbox/${id}`,
  );
  return { id, incident, state, holdUntil, answeredAt, entry, notices: notices ?? [], problem: problem ?? null };
}

/** @param {string} id */
export const incidentOf = (id) => session.incidents.find((view) => view.id === id || view.linked_ids?.includes(id));
/** One's own entries of an incident, under whichever of its ids they were sent. @param {string} id */
export function entriesOf(id) {
  const ids = [id, incidentOf(id)?.id, ...(incidentOf(id)?.linked_ids ?? [])];
  return session.entries.filter((own) => ids.includes(own.incident));
}
/**
 * Withdrawn by an entry of one's own that is not withdrawn itself.
 * @param {string} id of an entry
 * @returns {boolean}
 */
export const isWithdrawn = (id) =>
  session.entries.some(
    ({ id: by, entry }) => entry.kind === "withdrawal" && entry.withdraws === id && !isWithdrawn(by),
  );
/** What is in force of one's own entry: its last correction, else itself. @param {OwnEntry} own */
export function inForce(own) {
  const corrections = session.entries.filter(
    ({ id, entry }) => entry.kind === "amendment" && entry.amends === own.id && !isWithdrawn(id),
  );
  corrections.sort((a, b) => a.entry.captured_at.localeCompare(b.entry.captured_at) || a.id.localeCompare(b.id));
  return corrections.at(-1)?.entry.entry ?? own.entry;
}
/** The detention of an incident as this phone knows it. @param {string} id */
export function detentionOf(id) {
  const unsent = entriesOf(id).filter((own) => own.state === "waiting" && !isWithdrawn(own.id));
  return clock.withUnsent(incidentOf(id)?.detention ?? null, unsent.map(inForce));
}

/** @param {string} list @param {string} code */
export const findCode = (list, code) => session.codes?.lists[list]?.find((/** @type {any} */ c) => c.code === code);
/**
 * The words for a code; a code that this list does not know is shown as it is.
 * @param {string} list
 * @param {string | null | undefined} code
 */
export const label = (list, code) => (code == null ? "not recorded" : (findCode(list, code)?.label ?? code));

/** Who an incident is about, as far as recorded: "Male, 18 to 34". @param {Incident} view */
export const person = (view) =>
  [
    view.sex && view.sex !== "unknown" ? label("sex", view.sex) : null,
    view.age ?? (view.age_band && view.age_band !== "unknown" ? label("age_band", view.age_band) : null),
  ]
    .filter((part) => part != null)
    .join(", ");

/** Where an incident is, in words. @param {string | null | undefined} area */
export const place = (area) => (area && area !== "unknown" ? label("area", area) : "Place not recorded");
