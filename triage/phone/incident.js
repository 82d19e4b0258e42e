// One incident: what the clock says next, what may be recorded, what is known, what one recorded oneself; and one
// entry of it.
import * as clock from "./clock.js";
import { button, faultList, h } from "./dom.js";
import { envelope, withdrawal } from "./entries.js";
import { FORMS, REASONS } from "./forms.js";
import { formOf } from "./form.js";
import { grace } from "./intent.js";
import { go } from "./screen.js";
import {
  account,
  contactKind,
  detentionOf,
  entriesOf,
  inForce,
  incidentOf,
  isPolice,
  isWithdrawn,
  label,
  load,
  person,
  place,
  session,
} from "./state.js";
import { record } from "./sync.js";
import { kindName, leadOf } from "./words.js";

/** @param {string} id */
export async function drawIncident(id) {
  await load();
  const view = incidentOf(id),
    own = entriesOf(id);
  if (!view && !own.length)
    return [title("No longer here", "home"), h("p.empty", null, "This incident was closed or taken off this phone.")];
  const area = view?.area ?? own.map(({ entry }) => entry.area).find(Boolean);
  return [
    title(place(area), "home"),
    subtitle(view),
    clockCard(id, view),
    actions(id, own),
    view ? facts(view) : h("p.note", null, "Only on this phone so far. The others see it once it was sent."),
    mine(own),
  ];
}

/** @param {string} text @param {string} back @param {...any} args */
export const title = (text, back, ...args) =>
  h(
    "header",
    null,
    h("h1", null, text),
    button(".quiet", "Back", () => go(back, ...args)),
  );

/** @param {import("./wire.js").Incident | undefined} view */
const subtitle = (view) =>
  view &&
  h(
    "p",
    null,
    [clock.dayTime(view.occurred_at, clock.now()), person(view), view.log_ref && `log ${view.log_ref}`]
      .filter(Boolean)
      .join(" · "),
  );

/** @param {string} id @param {import("./wire.js").Incident | undefined} view */
function clockCard(id, view) {
  const detention = detentionOf(id),
    station = isAtStation(detention, view);
  const text = clock.detentionClock(detention, clock.now(), { station, child: view?.under_18 });
  if (!text) return null;
  const check = station ? button("", "Health check done now", () => healthCheck(id, detention.power)) : null;
  return h(
    `section.clock.${text.level}`,
    { "aria-label": "Detention clock" },
    h("b", null, text.text),
    text.next.map((line) => h("span", null, line)),
    text.fromEntry ? h("small", null, text.fromEntry) : null,
    h("small", null, "By this phone’s clock, set right by the service’s."),
    check,
  );
}

/** @param {any} detention @param {import("./wire.js").Incident | undefined} view */
const isAtStation = (detention, view) =>
  (view?.place_now ?? detention?.places?.at(-1)?.place_of_safety) === "police_station";

/** @param {string} id @param {"s136" | "s135"} power */
async function healthCheck(id, power) {
  await record(account(), [
    {
      ...envelope("detention", id),
      event: "health_check",
      at: clock.phoneTime(),
      power: power ?? "s136",
      place_of_safety: "police_station",
    },
  ]);
  await go("incident", id);
}

/** @param {string} id @param {import("./state.js").OwnEntry[]} own */
function actions(id, own) {
  const contact = own
    .filter(
      ({ entry, id: entryId }) =>
        entry.kind === contactKind() && kindName(entry) === "Record of contact" && !isWithdrawn(entryId),
    )
    .at(-1);
  const draft = session.drafts.find((kept) => kept.id === `contact/${id}`);
  const record =
    contact && !draft
      ? button(".option.strong", "Correct my record", () => correct(contact))
      : button(".option.strong", draft ? "Go on with my record" : "My record", () =>
          go("form", { form: "contact", incident: id }),
        );
  const intent =
    isPolice() && !own.some(({ entry }) => entry.kind === "intent")
      ? button(".option", "What I would do", () => go("intent", { incident: id }))
      : null;
  return h(
    "div.grid.actions",
    null,
    record,
    button(".option.strong", "Outcome", () => go("form", { form: "outcome", incident: id })),
    button(".option", "Detention", () => go("form", { form: "detention", incident: id })),
    button(".option", "Follow-up", () => go("form", { form: "follow_up", incident: id })),
    intent,
    button(".option", isPolice() ? "Police reference" : "NHS number", () => go("person", id)),
    button(".option", "Share with the car", () => go("share", id)),
  );
}

/** @type {[keyof import("./wire.js").Incident, string, string][]} field, words, list */
const FACTS = [
  ["location_type", "Place", "location_type"],
  ["contact_mode", "Contact", "contact_mode"],
  ["referral_source", "Asked by", "referral_source"],
  ["ethnicity", "Ethnicity", "ethnicity"],
  ["legal_status", "Legal status", "legal_status"],
  ["immediate_danger", "Immediate danger", "immediate_danger"],
  ["force_type", "Force used", "force_type"],
  ["transport", "Transport", "transport"],
  ["assessment", "Assessed", "assessment"],
  ["physical_need", "Physical need", "physical_need"],
  ["conveyed", "Conveyed", "conveyed"],
  ["capacity_to_decide_care", "Capacity", "capacity_to_decide_care"],
  ["known_to_services", "Known to services", "known_to_services"],
  ["crisis_plan", "Crisis plan", "crisis_plan"],
  ["safety_plan", "Safety plan", "safety_plan"],
];

/** @param {import("./wire.js").Incident} view */
function facts(view) {
  /** @type {[string, string][]} */
  const rows = FACTS.filter(([field]) => view[field] != null).map(([field, words, list]) => [
    words,
    label(list, /** @type {string} */ (view[field])),
  ]);
  if (view.presenting?.length)
    rows.unshift(["What is happening", view.presenting.map((code) => label("presenting", code)).join(", ")]);
  for (const { advice, at } of view.advice ?? [])
    rows.push(["Advice", `${label("advice", advice)}${at ? `, ${clock.dayTime(at, clock.now())}` : ""}`]);
  if (view.outcome)
    rows.push([
      "Outcome",
      `${label("disposal", view.outcome.disposal)}${view.outcome.decided_at ? `, ${clock.dayTime(view.outcome.decided_at, clock.now())}` : ""}`,
    ]);
  const hours = view.repeat_contact?.last_72_hours?.length;
  if (hours) rows.push(["In the last 72 hours", hours === 1 ? "one other contact" : `${hours} other contacts`]);
  if (!rows.length) return null;
  return [
    h("h2", null, "What is known"),
    h(
      "dl.facts",
      null,
      rows.map(([words, value]) => h("div", null, h("dt", null, words), h("dd", null, value))),
    ),
    button(".quiet", "Something there is wrong", () => putKnownRight(view.id)),
  ];
}

/**
 * One's own record is corrected; without one, a record of one's own is opened with the known facts asked.
 * @param {string} id
 */
async function putKnownRight(id) {
  const own = entriesOf(id)
    .filter(({ entry, id: entryId }) => entry.kind === contactKind() && !isWithdrawn(entryId))
    .at(-1);
  await (own ? correct(own) : go("form", { form: "contact", incident: id, open: true }));
}

/** @param {import("./state.js").OwnEntry[]} own */
function mine(own) {
  if (!own.length) return null;
  return [
    h("h2", null, "From this phone"),
    h(
      "ul.list",
      null,
      own.toReversed().map((entry) => h("li", null, entryRow(entry))),
    ),
  ];
}

/** @param {import("./state.js").OwnEntry} own */
export function entryRow(own) {
  const { level, text } = stateText(own);
  return button(
    `.row.entry.${level}`,
    [
      h("b", null, kindName(own.entry)),
      h(
        "span",
        null,
        `${clock.dayTime(clock.serviceTime(own.entry.captured_at), clock.now())}${isWithdrawn(own.id) ? " · withdrawn" : ""}`,
      ),
      h("em", null, text),
    ],
    () => go("entry", own.id),
    { "data-id": own.id },
  );
}

/** @param {import("./state.js").OwnEntry} own @returns {{level: "good" | "warn" | "bad", text: string}} */
export function stateText({ state, answeredAt, notices, problem }) {
  switch (state) {
    case "waiting":
      return { level: "warn", text: "Only on this phone" };
    case "received":
      return {
        level: "good",
        text: `Received ${clock.dayTime(/** @type {number} */ (answeredAt), clock.now())}${notices.length ? ` · ${notices.length === 1 ? "a note" : `${notices.length} notes`} for you` : ""}`,
      };
    case "quarantined":
      return {
        level: "warn",
        text:
          problem?.code === "newer_than_service"
            ? "Kept until the service is renewed"
            : `With the ${leadOf(account().profile.profession)}`,
      };
    default:
      return {
        level: "bad",
        text: `Needs you: ${problem?.errors?.[0]?.message ?? problem?.title ?? "it was not taken"}`,
      };
  }
}

// One entry

/** @param {string} id */
export async function drawEntry(id) {
  await load();
  const own = session.entries.find((entry) => entry.id === id);
  if (!own)
    return [
      title("No longer here", "home"),
      h("p.empty", null, "Entries stay on this phone for 14 days after they were received."),
    ];
  const { entry, state, notices, problem } = own,
    { level, text } = stateText(own);
  const form = formOf(subject(own).kind),
    withdrawn = isWithdrawn(id);
  const correctable =
    (form && state !== "refused" && !withdrawn && entry.kind !== "amendment") ||
    (entry.kind === "intent" && state !== "refused" && !withdrawn);
  return [
    title(kindName(entry), "incident", own.incident),
    h(`p.state.${level}`, null, text),
    notices.length
      ? h(
          "ul.notices",
          null,
          notices.map((notice) => h("li", null, notice.message)),
        )
      : null,
    faultList(problem?.errors),
    answers(inForce(own)),
    entry.kind === "intent" && correctable ? h("p", null, grace(own)) : null,
    h(
      "div.grid.actions",
      null,
      correctable ? button(".option.strong", "Correct this", () => correct(own)) : null,
      state === "refused" && form
        ? button(".option.strong", "Put right", () =>
            go("form", { form, incident: own.incident, repairs: id, original: subject(own) }),
          )
        : null,
      state === "refused"
        ? button(".option", "Send again", async () => {
            await record(account(), [entry]);
            await go("incident", own.incident);
          })
        : null,
      withdrawn ? null : button(".option", "Withdraw this", () => go("withdraw", id)),
    ),
  ];
}

/** What an entry says: a correction says what it puts in place. @param {import("./state.js").OwnEntry} own */
const subject = ({ entry }) => (entry.kind === "amendment" ? entry.entry : entry);

/** @param {import("./state.js").OwnEntry} own */
export async function correct(own) {
  if (own.entry.kind === "intent") return go("intent", { incident: own.incident, corrects: own });
  await go("form", {
    form: formOf(own.entry.kind),
    incident: own.incident,
    corrects: own.id,
    original: { ...inForce(own), kind: own.entry.kind },
  });
}

/** @param {any} content */
function answers(content) {
  /** @type {[string, string][]} */
  const rows = [];
  if (content.intent) {
    rows.push(["Power", label("intent_power", content.intent.power)]);
    if (content.intent.confidence)
      rows.push(["How sure", ["", "Possibly", "Probably", "Would have"][content.intent.confidence]]);
    if (content.intent.source) rows.push(["Whose", label("intent_source", content.intent.source)]);
    if (content.intent.tests)
      rows.push(["Tests", Object.values(content.intent.tests).every(Boolean) ? "All three met" : "Not all met"]);
  }
  for (const question of FORMS[content.kind] ?? []) {
    const [outer, inner] = question.field.split("."),
      value = inner ? content[outer]?.[inner] : content[outer];
    if (value != null) rows.push([question.ask.replace(/\?$/, ""), said(question, value)]);
  }
  return rows.length
    ? h(
        "dl.facts",
        null,
        rows.map(([words, value]) => h("div", null, h("dt", null, words), h("dd", null, value))),
      )
    : null;
}

/** @param {import("./forms.js").Question} question @param {any} value */
function said(question, value) {
  if (question.yes) return value ? "Yes" : "No";
  if (question.when) return clock.dayTime(clock.serviceTime(value), clock.now());
  if (question.list)
    return [value]
      .flat()
      .map((code) => label(/** @type {string} */ (question.list), code))
      .join(", ");
  return question.field === "minutes" ? clock.duration(value * 60_000) : String(value);
}

/** @param {string} id */
export function drawWithdraw(id) {
  const own = /** @type {import("./state.js").OwnEntry} */ (session.entries.find((entry) => entry.id === id));
  const reasons = /** @type {[string, string][]} */ (REASONS.withdrawal.options);
  return [
    title("Why is it withdrawn?", "entry", id),
    h("p", null, `${kindName(own.entry)}: it stays readable, and no longer counts.`),
    h(
      "div.grid",
      null,
      reasons.map(([reason, text]) =>
        button(".option", text, async () => {
          await record(account(), [withdrawal(own, reason)]);
          await go("incident", own.incident);
        }),
      ),
    ),
  ];
}

/**
 * A question put to this person opens the entry it is about; the answer names it.
 * @param {import("./wire.js").Ask} ask
 */
export async function openAsk(ask) {
  const own = entriesOf(ask.incident_id).filter(({ id, entry }) => formOf(entry.kind) && !isWithdrawn(id));
  const about =
    own.find(({ id }) => id === ask.about) ??
    own.findLast(({ entry }) => FORMS[entry.kind].some(({ field }) => field.split(".")[0] === ask.about)) ??
    own.at(-1);
  const asked = { id: ask.id, text: ask.text ?? "" };
  await (about
    ? go("form", {
        form: formOf(about.entry.kind),
        incident: about.incident,
        corrects: about.id,
        original: { ...inForce(about), kind: about.entry.kind },
        ask: asked,
      })
    : go("form", { form: "contact", incident: ask.incident_id, open: true, ask: asked }));
}
