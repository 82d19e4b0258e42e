// The officer's mind before anybody is asked. One tap says power and confidence, one more the tests. The entry lies
// in the outbox from the first tap and may be changed until it leaves, ten seconds after the last.
import * as clock from "./clock.js";
import { button, h } from "./dom.js";
import { choices } from "./forms.js";
import { LAW } from "./law.js";
import { go } from "./screen.js";
import { account, session } from "./state.js";
import { record } from "./sync.js";
import { amendment, envelope } from "./entries.js";
import { uuid7 } from "./vault.js";

const HOLD = 10_000,
  FREE = 120_000;
/** @type {[number, string][]} */
const CONFIDENCE = [
  [3, "Would have"],
  [2, "Probably"],
  [1, "Possibly"],
];
/** @type {[string, string][]} */
const TESTS = [
  ["mental_disorder", "Mental disorder"],
  ["immediate_need", "Immediate need"],
  ["necessary", "Necessary"],
];

/**
 * `corrects`: the own entry that this replaces.
 * @typedef {{incident: string, entry?: any, of?: "referring_officer" | "control_room", corrects?: any}} Step
 */

/** @param {Step} step */
export function drawIntent(step) {
  const { incident, of, corrects } = step;
  const whose =
    of === "referring_officer"
      ? "What did the other officer mean to do?"
      : of === "control_room"
        ? "What did the control room mean to do?"
        : "What would you do now?";
  const chosen = (/** @type {any} */ part) => choose(step, part);
  const others = choices(session.codes, { field: "power", ask: "", list: "intent_power" }, "police", today()).filter(
    ({ code }) => code !== "s136" && !code.startsWith("arrest_"),
  );
  const sure = (/** @type {string} */ power, /** @type {string} */ title) =>
    h(
      "fieldset",
      null,
      h("legend", null, title),
      h(
        "div.grid.three",
        null,
        CONFIDENCE.map(([confidence, text]) =>
          button(".option.strong", text, () => chosen({ power, confidence }), { "aria-label": `${title}: ${text}` }),
        ),
      ),
    );
  return [
    h(
      "header",
      null,
      h("h1", null, whose),
      button(".quiet", corrects ? "Back" : "Cancel", () => (corrects ? go("entry", corrects.id) : go("home"))),
    ),
    h(
      "p",
      null,
      corrects
        ? grace(corrects)
        : of
          ? "As it stood before you came."
          : "On your own, before you ask anybody. The time of your tap is kept.",
    ),
    sure("s136", "Section 136"),
    sure("arrest_offence", "Arrest for an offence"),
    sure("arrest_breach_of_peace", "Arrest for breach of the peace"),
    h(
      "fieldset",
      null,
      h("legend", null, "Something else"),
      h(
        "div.grid",
        null,
        others.map(({ code, label }) => button(".option", label, () => chosen({ power: code }))),
      ),
    ),
    of || corrects
      ? null
      : h(
          "fieldset",
          null,
          h("legend", null, "Not yours?"),
          h(
            "div.grid",
            null,
            button(".option", "Another officer’s", () => go("intent", { incident, of: "referring_officer" })),
            button(".option", "Control room’s", () => go("intent", { incident, of: "control_room" })),
          ),
        ),
  ];
}

/** Until when an intent may be changed freely. @param {import("./state.js").OwnEntry} own */
export function grace(own) {
  const until = clock.serviceTime(own.entry.captured_at) + FREE;
  return clock.now() < until
    ? `Changes freely until ${clock.clockTime(until)}, unless somebody has been consulted or has decided.`
    : "A correction does not undo what was said first: it stays as evidence.";
}

const today = () => new Date(clock.now()).toISOString().slice(0, 10);

/** @param {Step} step @param {any} part */
async function choose(step, part) {
  const at = clock.phoneTime();
  const source = step.of ?? (step.corrects ? step.corrects.entry.intent.source : "self");
  const entry = {
    ...envelope("intent", step.incident),
    captured_at: at,
    intent: { ...part, formed_at: step.corrects?.entry.intent.formed_at ?? at, source },
  };
  await keep(step, entry);
  if (part.power === "s136") return go("tests", { ...step, entry });
  await after({ ...step, entry });
}

/**
 * What has left the phone, or may leave it now, is not changed any more: a correction follows it.
 * @param {Step} step
 * @param {any} entry
 */
async function keep(step, entry) {
  const author = account();
  const before = await author.db.get("outbox", entry.id);
  const left = before && (before.state !== "waiting" || before.holdUntil <= Date.now());
  const own = step.corrects ?? (left ? { id: entry.id, incident: step.incident } : null);
  const said = own
    ? amendment(own, { kind: "intent", intent: entry.intent }, "wrong_code", left ? uuid7() : entry.id)
    : entry;
  await record(author, [said], { hold: HOLD });
}

/** @param {Step} step */
export function drawTests(step) {
  const say = async (/** @type {any} */ tests) => {
    const entry = { ...step.entry, intent: { ...step.entry.intent, tests } };
    await keep(step, entry);
    await after({ ...step, entry });
  };
  const met = Object.fromEntries(TESTS.map(([field]) => [field, true]));
  return [
    h(
      "header",
      null,
      h("h1", null, "The three tests"),
      button(".quiet", "Later", () => after(step)),
    ),
    h("p", null, LAW.threeTests.text),
    h(
      "ol.tests",
      null,
      h("li", null, "Appears to have a mental disorder"),
      h("li", null, "In immediate need of care or control"),
      h("li", null, "Necessary, in their interests or to protect others"),
    ),
    button(".primary.big", "All three met", () => say(met)),
    h(
      "fieldset",
      null,
      h("legend", null, "Or the one that is not met"),
      h(
        "div.grid.three",
        null,
        TESTS.map(([field, text]) =>
          button(".option", text, () => say({ [field]: false }), { "aria-label": `Not met: ${text}` }),
        ),
      ),
    ),
  ];
}

/** @param {Step} step */
async function after(step) {
  if (step.corrects) return go("incident", step.incident);
  await (step.of === "referring_officer"
    ? go("referrer", step)
    : go("form", { form: "contact", incident: step.incident }));
}

/** Another officer's intent counts as confirmed with his collar number and the time of the log. @param {Step} step */
export function drawReferrer(step) {
  const collar = /** @type {HTMLInputElement} */ (
    h("input", { id: "referrer", maxLength: 64, autocomplete: "off", autocapitalize: "characters" })
  );
  const time = /** @type {HTMLInputElement} */ (h("input", { id: "log_time", type: "time" }));
  const save = async () => {
    const at = time.value ? clock.lastTime(time.value, clock.now()) : null;
    const more = {
      ...(collar.value.trim() ? { referrer: collar.value.trim() } : {}),
      ...(at ? { log_time: clock.phoneTime(at) } : {}),
    };
    await keep(step, { ...step.entry, intent: { ...step.entry.intent, ...more } });
    await go("form", { form: "contact", incident: step.incident });
  };
  return [
    h(
      "header",
      null,
      h("h1", null, "Whose was it?"),
      button(".quiet", "Later", () => go("form", { form: "contact", incident: step.incident })),
    ),
    h("p", null, "The collar number is sealed; it confirms what the other officer meant to do."),
    h("div.field", null, h("label", { htmlFor: "referrer" }, "Collar number"), collar),
    h("div.field", null, h("label", { htmlFor: "log_time" }, "Time on the log"), time),
    button(".primary.big", "Go on", save),
  ];
}
