// Words that more than one screen uses.

/** What an entry is called in a list. @param {any} entry @returns {string} */
export function kindName(entry) {
  if (entry.kind === "amendment") return `Correction: ${kindName(entry.entry).toLowerCase()}`;
  const contact = ["officer", "nurse", "paramedic"].includes(entry.kind);
  if (contact && Object.keys(entry).every((field) => FIRST_WORD.includes(field))) return "Place and time";
  return contact ? "Record of contact" : (NAMES[entry.kind] ?? entry.kind);
}
const FIRST_WORD = [
  "id",
  "kind",
  "incident_id",
  "captured_at",
  "codes_version",
  "form_version",
  "car",
  "test",
  "area",
  "occurred_at",
];
/** @type {Record<string, string>} */
const NAMES = {
  intent: "What I would do",
  outcome: "Outcome",
  detention: "Detention",
  follow_up: "Follow-up",
  withdrawal: "Withdrawal",
  person_link: "Person",
  person_unlink: "Person taken off",
  same_incident: "Same incident",
  not_same_incident: "Another incident",
};

/** @type {Record<string, string>} */
export const FORM_NAMES = {
  contact: "Record of contact",
  outcome: "Outcome",
  detention: "Detention",
  follow_up: "Follow-up",
  stand_down: "Stood down",
};

/** Who looks at what could not be stored. @param {string} profession */
export const leadOf = (profession) => (profession === "police" ? "sergeant" : "clinical lead");

/** @param {number} n @param {string} one @param {string} [many] */
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
