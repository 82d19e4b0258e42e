// One incident: what the clock says next, what may be recorded, what is known, what one recorded oneself, who it is.
import * as clock from "./clock.js";
import { alert, button, facts, faultList, h, input, joined, labelled, list, messages, section } from "./dom.js";
import { FORMS, REASONS, listOf, valueOf } from "./forms.js";
import { CONFIDENCE, grace } from "./intent.js";
import { go, title } from "./screen.js";
import {
  account,
  areaOf,
  contactKind,
  detentionOf,
  entriesOf,
  envelope,
  formOf,
  inForce,
  incidentOf,
  isFirstWord,
  isPolice,
  isWithdrawn,
  kindName,
  label,
  lead,
  load,
  person,
  place,
  session,
  subject,
  withdrawal,
} from "./state.js";
import { answerOf, call, record, tryNow } from "./sync.js";

/** @typedef {import("./sync.js").Incident} Incident */
/** @typedef {import("./state.js").OwnEntry} OwnEntry */

const ORDER = ["refused", "waiting", "quarantined", "received"];

/** @param {string} id */
export async function drawIncident(id) {
  await load();
  const view = incidentOf(id),
    own = entriesOf(id);
  if (!view && !own.length)
    return [title("No longer here", "home"), h("p.empty", "This incident was closed or taken off this phone.")];
  return [
    title(place(areaOf(id)), "home"),
    view &&
      h(
        "p",
        joined([clock.dayTime(view.occurred_at, clock.now()), person(view), view.log_ref && `log ${view.log_ref}`]),
      ),
    clockCard(id, view),
    actions(id, own),
    view ? known(view) : h("p.card", "Only on this phone so far. The others see it once it was sent."),
    section("From this phone", own.toReversed(), entryRow),
  ];
}

/** @param {string} id @param {Incident | undefined} view */
function clockCard(id, view) {
  const detention = detentionOf(id),
    unsent = entriesOf(id).findLast(({ state, entry }) => state === "waiting" && entry.place_of_safety);
  const station = (unsent?.entry.place_of_safety ?? view?.place_now) === "police_station";
  const text = clock.detentionClock(detention, clock.now(), { station, child: view?.under_18 });
  if (!text) return null;
  return h(
    `section.clock.${text.level}`,
    { "aria-label": "Detention clock" },
    h("b", text.text),
    text.next.map((line) => h("span", line)),
    text.fromEntry && h("small", text.fromEntry),
    h("small", "By this phone’s clock, set right by the service’s."),
    station && button("", "Health check done now", () => healthCheck(id, detention.power)),
  );
}

/** @param {string} id @param {"s136" | "s135"} power */
async function healthCheck(id, power = "s136") {
  const check = { event: "health_check", at: clock.phoneTime(), power, place_of_safety: "police_station" };
  await record(account(), [{ ...envelope("detention", id), ...check }]);
  await go("incident", id);
}

/** @param {string} incident @param {OwnEntry[]} own */
function actions(incident, own) {
  const contact = own.findLast(
    ({ entry, id }) => entry.kind === contactKind() && !isFirstWord(entry) && !isWithdrawn(id),
  );
  const draft = session.drafts.some(({ id }) => id === `contact/${incident}`);
  const fill = (/** @type {string} */ form) => () => go("form", { form, incident });
  return h(
    "div.grid.actions",
    contact && !draft
      ? button(".option.strong", "Correct my record", () => correct(contact))
      : button(".option.strong", draft ? "Go on with my record" : "My record", fill("contact")),
    button(".option.strong", "Outcome", fill("outcome")),
    button(".option", "Detention", fill("detention")),
    button(".option", "Follow-up", fill("follow_up")),
    isPolice() &&
      !own.some(({ entry }) => entry.kind === "intent") &&
      button(".option", "What I would do", () => go("intent", { incident })),
    button(".option", identifier().words, () => go("person", incident)),
    button(".option", "Share with the car", () => go("share", incident)),
  );
}

/** The questions of all forms, each once; where and who stand in the title. */
const ASKED = new Map(
  [...FORMS.outcome, ...FORMS.paramedic, ...FORMS.nurse, ...FORMS.officer]
    .filter(({ field }) => !["area", "age_band", "sex"].includes(field))
    .map((question) => [question.field, question]),
);

/** @param {Incident} view */
function known(view) {
  const dated = (/** @type {string} */ list, /** @type {string} */ code, /** @type {string | null | undefined} */ at) =>
    joined([label(list, code), at && clock.dayTime(at, clock.now())], ", ");
  const { presenting, outcome } = view,
    others = view.repeat_contact?.last_72_hours?.length;
  /** @type {[string, string][]} */
  const rows = [...ASKED.values()].flatMap((question) => {
    const code = valueOf(view, question.field),
      codes = listOf(question);
    return codes && typeof code === "string" ? [[question.ask, label(codes, code)]] : [];
  });
  if (presenting?.length)
    rows.unshift([
      "What is happening",
      joined(
        presenting.map((code) => label("presenting", code)),
        ", ",
      ),
    ]);
  for (const { advice, at } of view.advice ?? []) rows.push(["Advice", dated("advice", advice, at)]);
  if (outcome) rows.push(["Outcome", dated("disposal", outcome.disposal, outcome.decided_at)]);
  if (others) rows.push(["In the last 72 hours", others === 1 ? "one other contact" : `${others} other contacts`]);
  return rows.length
    ? [
        h("h2", "What is known"),
        facts(rows),
        button(".quiet", "Something there is wrong", () => putKnownRight(view.id)),
      ]
    : null;
}

/**
 * One's own record is corrected; without one, a record of one's own is opened with the known facts asked.
 * @param {string} incident
 */
async function putKnownRight(incident) {
  const own = entriesOf(incident).findLast(({ entry, id }) => entry.kind === contactKind() && !isWithdrawn(id));
  await (own ? correct(own) : go("form", { form: "contact", incident, open: true }));
}

/** The number that says who it is, by the side that asks. */
const identifier = () =>
  isPolice() ? { words: "Police reference", field: "police_ref" } : { words: "NHS number", field: "nhs_number" };

/** Sent at once and never kept on the phone; what comes back is a number that means nothing elsewhere.
 * @param {string} incident */
export function drawPerson(incident) {
  const { words, field } = identifier(),
    typed = input("identifier", { inputMode: isPolice() ? "text" : "numeric" });
  const send = async () => {
    const value = isPolice() ? typed.value.trim() : typed.value.replace(/\s/g, "");
    if (!value) throw { why: `Type the ${words} first` };
    const person_id = await register({ [field]: value });
    typed.value = "";
    await record(account(), [{ ...envelope("person_link", incident), person_id, reason: "identified" }]);
    await go("incident", incident);
  };
  return [
    title(words, "incident", incident),
    h("p", "It is sent at once and is not kept on this phone. This needs a connection."),
    labelled(words, typed),
    button(".primary.big", "Send", send),
  ];
}

/** @param {Record<string, string>} identifier @returns {Promise<string>} */
async function register(identifier) {
  const response = await call("/v1/people", identifier, account().token);
  const answer = await answerOf(response);
  if (response.status === 201) return answer.person_id;
  const later = response.status === 429 ? "Too many for now." : "The service did not take it.";
  throw { why: answer.errors?.[0]?.message ?? `${later} Try again later.` };
}

// One's own entries on this phone: what became of each, and what to do about it.

export async function drawOutbox() {
  await load();
  const { status } = account();
  const own = session.entries.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.id.localeCompare(a.id),
  );
  return [
    title("Sent and unsent", "home"),
    status.phase === "stopped" && [
      alert(`${status.why}. Nothing is lost.`),
      button("", "Enter a new code", () => go("enrol")),
    ],
    button(".primary.big", "Try now", tryNow),
    own.length ? list(own, entryRow) : h("p.empty", "Nothing was recorded on this phone in the last 14 days."),
  ];
}

/** @param {OwnEntry} own */
function entryRow(own) {
  const { level, text } = stateText(own);
  const at = clock.dayTime(clock.serviceTime(own.entry.captured_at), clock.now());
  return button(
    `.row.entry.${level}`,
    [h("b", kindName(own.entry)), h("span", joined([at, isWithdrawn(own.id) && "withdrawn"])), h("em", text)],
    () => go("entry", own.id),
    { "data-id": own.id },
  );
}

/** @param {OwnEntry} own @returns {{level: "good" | "warn" | "bad", text: string}} */
function stateText({ state, answeredAt, notices, problem }) {
  switch (state) {
    case "waiting":
      return { level: "warn", text: "Only on this phone" };
    case "received": {
      const notes = notices.length && `${notices.length === 1 ? "a note" : `${notices.length} notes`} for you`;
      const at = clock.dayTime(/** @type {number} */ (answeredAt), clock.now());
      return { level: "good", text: joined([`Received ${at}`, notes]) };
    }
    case "quarantined":
      return {
        level: "warn",
        text: problem?.code === "newer_than_service" ? "Kept until the service is renewed" : `With the ${lead()}`,
      };
    default:
      return {
        level: "bad",
        text: `Needs you: ${problem?.errors?.[0]?.message ?? problem?.title ?? "it was not taken"}`,
      };
  }
}

/** @param {string} id */
export async function drawEntry(id) {
  await load();
  const own = session.entries.find((entry) => entry.id === id);
  if (!own)
    return [
      title("No longer here", "home"),
      h("p.empty", "Entries stay on this phone for 14 days after they were received."),
    ];
  const { entry, incident, notices, problem } = own,
    { level, text } = stateText(own);
  const form = formOf(subject(entry).kind),
    withdrawn = isWithdrawn(id),
    refused = own.state === "refused";
  const correctable = !refused && !withdrawn && (entry.kind === "intent" || (form && entry.kind !== "amendment"));
  const sendAgain = async () => {
    await record(account(), [entry]);
    await go("incident", incident);
  };
  return [
    title(kindName(entry), "incident", incident),
    h(`p.state.${level}`, text),
    notices.length > 0 && messages("ul.notices", notices),
    faultList(problem?.errors),
    answers(inForce(own)),
    entry.kind === "intent" && correctable && h("p", grace(own)),
    h(
      "div.grid.actions",
      correctable && button(".option.strong", "Correct this", () => correct(own)),
      refused &&
        form &&
        button(".option.strong", "Put right", () =>
          go("form", { form, incident, repairs: id, original: subject(entry) }),
        ),
      refused && button(".option", "Send again", sendAgain),
      !withdrawn && button(".option", "Withdraw this", () => go("withdraw", id)),
    ),
  ];
}

/** @param {OwnEntry} own @param {any} [ask] the question that the correction answers */
export async function correct(own, ask) {
  const { entry, incident, id } = own;
  if (entry.kind === "intent") return go("intent", { incident, corrects: own });
  const original = { ...inForce(own), kind: entry.kind };
  await go("form", { form: formOf(entry.kind), incident, corrects: id, original, ask });
}

/** @param {any} content */
function answers(content) {
  const { intent, kind } = content;
  /** @type {[string, string][]} */
  const rows = [];
  if (intent) {
    rows.push(["Power", label("intent_power", intent.power)]);
    if (intent.confidence) rows.push(["How sure", CONFIDENCE[intent.confidence]]);
    if (intent.source) rows.push(["Whose", label("intent_source", intent.source)]);
    if (intent.tests)
      rows.push(["Tests", Object.values(intent.tests).every(Boolean) ? "All three met" : "Not all met"]);
  }
  for (const question of FORMS[kind] ?? []) {
    const value = valueOf(content, question.field);
    if (value != null) rows.push([question.ask.replace(/\?$/, ""), said(question, value)]);
  }
  return facts(rows);
}

/** @param {import("./forms.js").Question} question @param {any} value */
function said(question, value) {
  const codes = listOf(question);
  if (question.yes) return value ? "Yes" : "No";
  if (question.when) return clock.dayTime(clock.serviceTime(value), clock.now());
  if (codes)
    return joined(
      [value].flat().map((code) => label(codes, code)),
      ", ",
    );
  return question.minutes ? clock.duration(value * 60_000) : String(value);
}

/** @param {string} id */
export function drawWithdraw(id) {
  const own = /** @type {OwnEntry} */ (session.entries.find((entry) => entry.id === id));
  const withdraw = async (/** @type {string} */ reason) => {
    await record(account(), [withdrawal(own, reason)]);
    await go("incident", own.incident);
  };
  return [
    title("Why is it withdrawn?", "entry", id),
    h("p", `${kindName(own.entry)}: it stays readable, and no longer counts.`),
    h(
      "div.grid",
      REASONS.withdrawal.options?.map(([reason, text]) => button(".option", text, () => withdraw(reason))),
    ),
  ];
}

/**
 * A question put to this person opens the entry it is about; the answer names it.
 * @param {import("./sync.js").Ask} ask
 */
export async function openAsk({ id, about, text, incident_id: incident }) {
  const own = entriesOf(incident).filter((entry) => formOf(entry.entry.kind) && !isWithdrawn(entry.id));
  const entry =
    own.find((entry) => entry.id === about) ??
    own.findLast(({ entry }) => FORMS[entry.kind].some(({ field }) => field.split(".")[0] === about)) ??
    own.at(-1);
  const ask = { id, text: text ?? "" };
  await (entry ? correct(entry, ask) : go("form", { form: "contact", incident, open: true, ask }));
}
