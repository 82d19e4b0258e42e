// One question on the screen. Native radios, checkboxes and inputs: the browser keeps their state, so nothing is
// drawn again on a tap, and a screen reader knows them.
import * as clock from "./clock.js";
import { h } from "./dom.js";
import { choices } from "./forms.js";
import { profession, session } from "./state.js";

/** @typedef {import("./forms.js").Question} Question */
/** @typedef {import("./forms.js").Answers} Answers */
/** @typedef {import("./dom.js").Attributes} Attributes */

const STEPS = [0, 15, 30, 60],
  MINUTE = 60_000,
  NOT_SAID = "Not asked, or not said";

/** @param {Question} question @param {Answers} answers */
export function questionNode(question, answers) {
  const { field, text, date, number, minutes, when } = question;
  const value = answers[field];
  if (text || date || (number && !minutes)) return typedField(question, value);
  const body = when
    ? timeChoice(question, value)
    : minutes
      ? minutesChoice(question, value)
      : codeChoice(question, value);
  return h("fieldset", { id: idOf(field) }, h("legend", words(question)), body);
}

/** @param {string} field */
export const idOf = (field) => `q-${field.replace(".", "-")}`;
/** @param {Question} question */
const words = ({ ask, hint }) => [ask, hint && h("small", ` ${hint}`)];

/** @param {Question} question @param {any} value */
function codeChoice(question, value) {
  const options = choices(session.codes, question, profession(), clock.today());
  const grid = `div.grid${question.wide || question.yes ? ".three" : ""}`;
  const groups = question.grouped ? groupsOf(options) : question.groups;
  if (!groups)
    return h(
      grid,
      options.map((option) => optionNode(question, option, value)),
    );
  const grouped = groups.flatMap(([, codes]) => codes);
  // a code newer than this app has a row too, but not where a form offers a few of the list
  const rest = groups.length > 1 ? options.filter(({ code }) => !grouped.includes(code)).map(({ code }) => code) : [];
  return [...groups, /** @type {[string, string[]]} */ (["More", rest])].map(([title, codes]) => {
    const offered = codes.flatMap((code) => options.filter((option) => option.code === code));
    return (
      offered.length > 0 && [
        title && h("p.group", title),
        h(
          grid,
          offered.map((option) => optionNode(question, option, value, title)),
        ),
      ]
    );
  });
}

/** As the list groups them, why it is not known first. @param {any[]} options @returns {[string, string[]][]} */
function groupsOf(options) {
  /** @type {Record<string, string[]>} */
  const groups = { [NOT_SAID]: [] };
  for (const { code, group, missing } of options) (groups[missing ? NOT_SAID : group] ??= []).push(code);
  return Object.entries(groups);
}

/**
 * @param {Question} question
 * @param {{code: string, label: string, short?: string}} option
 * @param {any} value
 * @param {string} [group]
 */
function optionNode({ field, many }, { code, label, short = label }, value, group) {
  const text = short.startsWith(`${group}: `) ? short.slice(`${group}: `.length) : short;
  return choice(
    {
      type: many ? "checkbox" : "radio",
      name: field,
      value: code,
      checked: many ? value?.includes(code) : value != null && String(value) === code,
      "aria-label": text,
      "aria-description": text === label ? null : label,
    },
    text.charAt(0).toUpperCase() + text.slice(1),
  );
}

/** @param {Attributes} attributes @param {...import("./dom.js").Child} shown */
const choice = (attributes, ...shown) =>
  h("label.option", h("input", { type: "radio", ...attributes }), h("span", { "aria-hidden": "true" }, shown));

/** Now, or so many minutes ago, or a time. @param {Question} question @param {string | undefined} value */
function timeChoice({ field, ask }, value) {
  const at = clock.now(),
    said = value ? clock.serviceTime(value) : null;
  const ago = (/** @type {number} */ minutes) => at - minutes * MINUTE;
  const step = said === null ? null : STEPS.find((minutes) => Math.abs(ago(minutes) - said) < MINUTE);
  return h(
    "div.grid.times",
    STEPS.map((minutes) =>
      choice(
        {
          name: field,
          value: minutes,
          checked: minutes === step,
          "aria-label": minutes ? `−${minutes} minutes` : "Now",
        },
        minutes ? `−${minutes}` : "Now",
        h("small", clock.clockTime(ago(minutes))),
      ),
    ),
    h(
      "label.option.typed",
      h("span", "At"),
      h("input", {
        type: "time",
        name: field,
        "aria-label": `${ask}: time`,
        value: step === undefined ? clock.clockTime(said) : "",
      }),
    ),
  );
}

/** @param {Question} question @param {number | undefined} value */
const minutesChoice = ({ field, minutes = [], number, ask }, value = 0) =>
  h(
    "div.grid.three",
    minutes.map((n) =>
      choice({ name: field, value: n, checked: n === value, "aria-label": `${n / 60} h` }, `${n / 60} h`),
    ),
    h(
      "label.option.typed",
      h("input", {
        ...numeric(number),
        name: field,
        "aria-label": `${ask}: minutes`,
        placeholder: "min",
        value: value && !minutes.includes(value) ? value : "",
      }),
    ),
  );

/** @param {[number, number]} [bounds] */
const numeric = ([min, max] = [0, 0]) => ({ type: "number", min, max, inputMode: "numeric" });

/** @param {Question} question @param {any} value */
function typedField(question, value = "") {
  const { field, text = 0, date, number } = question,
    id = `${idOf(field)}-input`;
  const how = date
    ? { type: "date" }
    : number
      ? numeric(number)
      : text > 100
        ? { rows: 3, maxLength: text }
        : { type: "text", maxLength: text, autocapitalize: "characters", spellcheck: false };
  return h(
    "div.field",
    { id: idOf(field) },
    h("label", { htmlFor: id }, words(question)),
    h(text > 100 ? "textarea" : "input", { id, name: field, value, autocomplete: "off", ...how }),
  );
}

/**
 * The answer that an input of a question gives now.
 * @param {Question} question
 * @param {HTMLInputElement} input
 * @param {Answers} answers
 * @returns {{value: any} | {problem: string}}
 */
export function answerFrom(question, input, answers) {
  const { field, many, yes, when, number } = question;
  if (when) return timeFrom(input);
  if (many) return manyFrom(question, input, answers[field] ?? []);
  if (yes) return { value: input.value === "true" };
  if (number && input.value !== "") {
    const value = Number(input.value),
      [least, most] = number;
    return Number.isInteger(value) && value >= least && value <= most
      ? { value }
      : { problem: `A whole number from ${least} to ${most}` };
  }
  return { value: input.type === "radio" ? input.value : input.value.trim() };
}

/** @param {HTMLInputElement} input */
function timeFrom(input) {
  if (input.type === "radio") return { value: clock.phoneTime(clock.now() - Number(input.value) * MINUTE) };
  if (!input.value) return { value: undefined };
  const at = clock.lastTime(input.value, clock.now());
  return at === null ? { problem: "Clocks did not show that time in the last day" } : { value: clock.phoneTime(at) };
}

/**
 * "None" excludes everything else.
 * @param {Question} question
 * @param {HTMLInputElement} input
 * @param {string[]} before
 */
function manyFrom({ many }, input, before) {
  const others = before.filter((code) => code !== input.value);
  if (!input.checked) return { value: others };
  const kept = input.value === "none" ? [] : others.filter((code) => code !== "none");
  return kept.length < (many ?? 0) ? { value: [...kept, input.value] } : { problem: `No more than ${many}` };
}
