// The incidents, entries, drafts and questions of whoever is signed in: read from disk and opened with the data key,
// gone on lock.
import * as clock from "./clock.js";
import { joined } from "./dom.js";
import { open, uuid7 } from "./vault.js";

/** @typedef {import("./accounts.js").Account} Account */
/**
 * An entry of the author's, with what the service said of it.
 * @typedef {{id: string, incident: string, state: "waiting" | "received" | "refused" | "quarantined",
 * holdUntil: number, answeredAt: number | null, entry: any, notices: import("./sync.js").Notice[],
 * problem: import("./sync.js").Problem | null}} OwnEntry
 */

/** @typedef {import("./sync.js").Incident} Incident */

/**
 * @type {{account: Account | null, codes: any, incidents: Incident[], entries: OwnEntry[],
 * drafts: any[], asks: import("./sync.js").Ask[]}}
 */
export const session = { account: null, codes: null, incidents: [], entries: [], drafts: [], asks: [] };

export const account = () => /** @type {Account} */ (session.account);
export const profession = () => account().profile.profession;
export const isPolice = () => profession() === "police";
/** The kind of contact that this profession records. */
export const contactKind = () => (isPolice() ? "officer" : profession());

/** Read everything again; another person's rows lie in another database. */
export async function load() {
  const author = account(),
    { db, dataKey } = author;
  if (!dataKey) return;
  const [incidents, rows, drafts, asks] = await Promise.all([
    db.all("incidents"),
    db.all("outbox"),
    db.all("drafts"),
    db.get("meta", "asks"),
  ]);
  const opened = {
    incidents: await Promise.all(incidents.map((row) => open(dataKey, row, `incidents/${row.id}`))),
    entries: await Promise.all(rows.map((row) => openRow(author, row))),
    drafts: await Promise.all(drafts.map((row) => open(dataKey, row, `drafts/${row.id}`))),
    asks: asks ? await open(dataKey, asks, "meta/asks") : [],
  };
  opened.incidents.sort((a, b) => b.occurred_at.localeCompare(a.occurred_at));
  // locked, or opened by somebody else, meanwhile
  if (session.account === author && author.dataKey) Object.assign(session, opened);
}

/** One row of the outbox: what waits is sealed with the device key, what was received with the data key.
 * @param {Account} author @param {any} row @returns {Promise<OwnEntry>} */
export async function openRow(author, row) {
  const { id, incident, state, holdUntil, answeredAt } = row;
  const { entry, notices, problem } = await open(
    /** @type {CryptoKey} */ (row.key === "data" ? author.dataKey : author.deviceKey),
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
/** The content in force of one's own entry: its last correction, else itself. @param {OwnEntry} own */
export function inForce(own) {
  const corrections = session.entries.filter(
    ({ id, entry }) => entry.kind === "amendment" && entry.amends === own.id && !isWithdrawn(id),
  );
  corrections.sort((a, b) => a.entry.captured_at.localeCompare(b.entry.captured_at) || a.id.localeCompare(b.id));
  return corrections.at(-1)?.entry.entry ?? own.entry;
}
/** Where it was, as far as this phone knows. @param {string} id */
export const areaOf = (id) =>
  incidentOf(id)?.area ??
  entriesOf(id)
    .map(({ entry }) => entry.area)
    .find(Boolean);
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
export const person = ({ sex, age, age_band }) => {
  const known = (/** @type {string} */ list, /** @type {any} */ code) =>
    code && code !== "unknown" && label(list, code);
  return joined([known("sex", sex), age == null ? known("age_band", age_band) : String(age)], ", ");
};

/** Where an incident is, in words. @param {string | null | undefined} area */
export const place = (area) => (area && area !== "unknown" ? label("area", area) : "Place not recorded");

/** Who looks at what could not be stored. */
export const lead = () => (isPolice() ? "sergeant" : "clinical lead");

// Entries: what every one of them carries without typing, and what they are called.

const FORM_VERSION = 1;

/** @param {string} kind @param {string} incident @returns {Record<string, any>} */
export function envelope(kind, incident) {
  const { car, training } = account().profile;
  return {
    id: uuid7(),
    kind: kind === "contact" ? contactKind() : kind,
    incident_id: incident,
    captured_at: clock.phoneTime(),
    codes_version: session.codes.version,
    form_version: FORM_VERSION,
    ...(car ? { car } : {}),
    ...(training ? { test: true } : {}),
  };
}
/** The fields of an envelope, and the one that names the question that an entry answers. */
export const ENVELOPE = ["id", "incident_id", "captured_at", "codes_version", "form_version", "answers", "test", "car"];

/**
 * @param {{id: string, incident: string}} own the entry that is corrected
 * @param {any} entry the whole replacement
 * @param {string} reason
 * @param {string} [id]
 */
export const amendment = (own, entry, reason, id = uuid7()) => ({
  ...envelope("amendment", own.incident),
  id,
  amends: own.id,
  reason,
  entry,
});

/** @param {{id: string, incident: string}} own @param {string} reason */
export const withdrawal = (own, reason) => ({ ...envelope("withdrawal", own.incident), withdraws: own.id, reason });

/** The content of an entry; of a correction, that which it puts in place. @param {any} entry */
export const subject = (entry) => (entry.kind === "amendment" ? entry.entry : entry);

const CONTACTS = ["officer", "nurse", "paramedic"];
/** The form that a kind of entry is filled in with, where there is one. @param {string} kind */
export const formOf = (kind) => (CONTACTS.includes(kind) ? "contact" : kind in FORM_NAMES ? kind : undefined);
/** Whether it only told the others of the incident. @param {any} entry */
export const isFirstWord = (entry) =>
  CONTACTS.includes(entry.kind) &&
  Object.keys(entry).every((field) => ["kind", "area", "occurred_at", ...ENVELOPE].includes(field));

/** The name of an entry in a list. @param {any} entry @returns {string} */
export function kindName(entry) {
  if (entry.kind === "amendment") return `Correction: ${kindName(entry.entry).toLowerCase()}`;
  if (isFirstWord(entry)) return "Place and time";
  return FORM_NAMES[formOf(entry.kind) ?? ""] ?? NAMES[entry.kind] ?? entry.kind;
}
/** @type {Record<string, string>} */
export const FORM_NAMES = {
  contact: "Record of contact",
  outcome: "Outcome",
  detention: "Detention",
  follow_up: "Follow-up",
  stand_down: "Stood down",
};
/** @type {Record<string, string>} */
const NAMES = {
  intent: "What I would do",
  withdrawal: "Withdrawal",
  person_link: "Person",
  person_unlink: "Person taken off",
  same_incident: "Same incident",
  not_same_incident: "Another incident",
};
