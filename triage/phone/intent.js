// The officer's mind before anybody is asked. One tap says power and confidence, one more the tests. The entry lies
// in the outbox from the first tap and may be changed until it leaves, ten seconds after the last.
import * as clock from "./clock.js";
import { button, group, h, input, labelled } from "./dom.js";
import { choices } from "./forms.js";
import { LAW } from "./law.js";
import { go, heading } from "./screen.js";
import { account, amendment, envelope, session } from "./state.js";
import { record } from "./sync.js";
import { uuid7 } from "./vault.js";

const HOLD = 10_000,
  FREE = 120_000;
/** By number, from 1. */
export const CONFIDENCE = ["", "Possibly", "Probably", "Would have"];
/** @type {[string, string, string][]} field, its name, its words */
const TESTS = [
  ["mental_disorder", "Mental disorder", "Appears to have a mental disorder"],
  ["immediate_need", "Immediate need", "In immediate need of care or control"],
  ["necessary", "Necessary", "Necessary, in their interests or to protect others"],
];
/** @typedef {"self" | "referring_officer" | "control_room"} Source */
/** @type {Record<Source, [string, string]>} whose it is: the question, and what is said of it */
const WHOSE = {
  self: ["What would you do now?", "On your own, before you ask anybody. The time of your tap is kept."],
  referring_officer: ["What did the other officer mean to do?", "As it stood before you came."],
  control_room: ["What did the control room mean to do?", "As it stood before you came."],
};

/**
 * `corrects`: the own entry that this replaces.
 * @typedef {{incident: string, entry?: any, source?: Source, corrects?: import("./state.js").OwnEntry}} Step
 */

/** @param {Step} step */
export function drawIntent(step) {
  const { incident, source = "self", corrects } = step,
    [question, words] = WHOSE[source];
  const chosen = (/** @type {any} */ part) => choose(step, part);
  const others = choices(session.codes, { field: "intent_power", ask: "" }, "police", clock.today()).filter(
    ({ code }) => code !== "s136" && !code.startsWith("arrest_"),
  );
  const sure = (/** @type {string} */ power, /** @type {string} */ title) =>
    group(
      title,
      [3, 2, 1].map((confidence) =>
        button(".option.strong", CONFIDENCE[confidence], () => chosen({ power, confidence }), {
          "aria-label": `${title}: ${CONFIDENCE[confidence]}`,
        }),
      ),
      "div.grid.three",
    );
  return [
    corrects
      ? heading(question, "Back", () => go("entry", corrects.id))
      : heading(question, "Cancel", () => go("home")),
    h("p", corrects ? grace(corrects) : words),
    sure("s136", "Section 136"),
    sure("arrest_offence", "Arrest for an offence"),
    sure("arrest_breach_of_peace", "Arrest for breach of the peace"),
    group(
      "Something else",
      others.map(({ code, label }) => button(".option", label, () => chosen({ power: code }))),
    ),
    !step.source &&
      !corrects &&
      group("Not yours?", [
        button(".option", "Another officer’s", () => go("intent", { incident, source: "referring_officer" })),
        button(".option", "Control room’s", () => go("intent", { incident, source: "control_room" })),
      ]),
  ];
}

/** Until when an intent may be changed freely. @param {import("./state.js").OwnEntry} own */
export function grace(own) {
  const until = clock.serviceTime(own.entry.captured_at) + FREE;
  return clock.now() < until
    ? `Changes freely until ${clock.clockTime(until)}, unless somebody has been consulted or has decided.`
    : "A correction does not undo what was said first: it stays as evidence.";
}

/** @param {Step} step @param {any} part */
async function choose(step, part) {
  const at = clock.phoneTime(),
    before = step.corrects?.entry.intent;
  const intent = { ...part, formed_at: before?.formed_at ?? at, source: step.source ?? before?.source ?? "self" };
  const chosen = { ...step, entry: { ...envelope("intent", step.incident), captured_at: at, intent } };
  await keep(chosen);
  await (part.power === "s136" ? go("tests", chosen) : after(chosen));
}

/**
 * An intent that has left the phone, or may leave it now, is not changed any more: a correction follows it.
 * @param {Step} step
 */
async function keep({ incident, entry, corrects }) {
  const author = account();
  const before = await author.db.get("outbox", entry.id);
  const left = before && (before.state !== "waiting" || before.holdUntil <= Date.now());
  const own = corrects ?? (left ? { id: entry.id, incident } : null);
  const said = own
    ? amendment(own, { kind: "intent", intent: entry.intent }, "wrong_code", left ? uuid7() : entry.id)
    : entry;
  await record(author, [said], { hold: HOLD });
}

/** Something more of the same intent. @param {Step} step @param {any} part @returns {Promise<Step>} */
async function say(step, part) {
  const more = { ...step, entry: { ...step.entry, intent: { ...step.entry.intent, ...part } } };
  await keep(more);
  return more;
}

/** @param {Step} step */
export function drawTests(step) {
  const tested = async (/** @type {any} */ tests) => after(await say(step, { tests }));
  const met = Object.fromEntries(TESTS.map(([field]) => [field, true]));
  return [
    heading("The three tests", "Later", () => after(step)),
    h("p", LAW.threeTests),
    h(
      "ol.tests",
      TESTS.map(([, , words]) => h("li", words)),
    ),
    button(".primary.big", "All three met", () => tested(met)),
    group(
      "Or the one that is not met",
      TESTS.map(([field, name]) =>
        button(".option", name, () => tested({ [field]: false }), { "aria-label": `Not met: ${name}` }),
      ),
      "div.grid.three",
    ),
  ];
}

/** @param {Step} step */
async function after(step) {
  if (step.corrects) return go("incident", step.incident);
  await (step.source === "referring_officer" ? go("referrer", step) : toContact(step));
}
/** @param {Step} step */
const toContact = ({ incident }) => go("form", { form: "contact", incident });

/** Another officer's intent counts as confirmed with his collar number and the time of the log. @param {Step} step */
export function drawReferrer(step) {
  const collar = input("referrer"),
    time = input("log_time", { type: "time" });
  const save = async () => {
    const referrer = collar.value.trim(),
      at = time.value ? clock.lastTime(time.value, clock.now()) : null;
    await say(step, { ...(referrer ? { referrer } : {}), ...(at ? { log_time: clock.phoneTime(at) } : {}) });
    await toContact(step);
  };
  return [
    heading("Whose was it?", "Later", () => toContact(step)),
    h("p", "The collar number is sealed; it confirms what the other officer meant to do."),
    labelled("Collar number", collar),
    labelled("Time on the log", time),
    button(".primary.big", "Go on", save),
  ];
}
