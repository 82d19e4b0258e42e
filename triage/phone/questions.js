// One question on the screen. Native radios, checkboxes and inputs: the browser keeps their state, so nothing is
// drawn again on a tap, and a screen reader knows them.
import * as clock from "./clock.js";
import { h } from "./dom.js";
import { choices } from "./forms.js";
import { profession, session } from "./state.js";

/** @typedef {import("./forms.js").Question} Question */
/** @typedef {import("./forms.js").Answers} Answers */

const STEPS = [0, 15, 30, 60],
  MINUTE = 60_000;

/** @param {Question} question @param {Answers} answers */
export function questionNode(question, answers) {
  const { field, ask, hint } = question;
  const legend = h("legend", null, ask, hint ? h("small", null, ` ${hint}`) : null);
  if (question.text || question.date || (question.number && !question.minutes)) return typedField(question, answers);
  const body = question.when
    ? timeChoice(question, answers)
    : question.minutes
      ? minutesChoice(question, answers)
      : codeChoice(question, answers);
  return h("fieldset", { id: idOf(field) }, legend, body);
}

/** @param {string} field */
export const idOf = (field) => `q-${field.replace(".", "-")}`;

/** @param {Question} question @param {Answers} answers */
function codeChoice(question, answers) {
  const today = new Date(clock.now()).toISOString().slice(0, 10);
  const options = choices(session.codes, question, profession(), today);
  const grid = `div.grid${question.wide || question.yes ? ".three" : ""}`;
  if (!question.groups)
    return h(
      grid,
      null,
      options.map((option) => optionNode(question, option, answers)),
    );
  const grouped = new Set(question.groups.flatMap(([, codes]) => codes));
  const only = question.field === "disposal" && question.groups.length === 1; // a form that offers two of the list
  const rest = only ? [] : options.filter(({ code }) => !grouped.has(code)); // a code newer than this app has a row too
  return [...question.groups, /** @type {[string, string[]]} */ (["More", rest.map(({ code }) => code)])].map(
    ([title, codes]) => {
      const offered = codes
        .map((code) => options.find((option) => option.code === code))
        .filter((option) => option !== undefined);
      return offered.length
        ? [
            title && h("p.group", null, title),
            h(
              grid,
              null,
              offered.map((option) => optionNode(question, option, answers, title)),
            ),
          ]
        : null;
    },
  );
}

/**
 * @param {Question} question
 * @param {{code: string, label: string, short?: string}} option
 * @param {Answers} answers
 * @param {string} [group]
 */
function optionNode(question, { code, label, short }, answers, group = "") {
  const value = answers[question.field];
  const checked = question.many ? (value ?? []).includes(code) : value != null && String(value) === code;
  const words = short ?? label,
    text = group && words.startsWith(`${group}: `) ? words.slice(group.length + 2) : words;
  return h(
    "label.option",
    null,
    h("input", {
      type: question.many ? "checkbox" : "radio",
      name: question.field,
      value: code,
      checked,
      "aria-label": text,
      "aria-description": text === label ? null : label,
    }),
    h("span", { "aria-hidden": "true" }, text.charAt(0).toUpperCase() + text.slice(1)),
  );
}

/** Now, or so many minutes ago, or a time. @param {Question} question @param {Answers} answers */
function timeChoice({ field, ask }, answers) {
  const at = clock.now(),
    said = answers[field] ? clock.serviceTime(answers[field]) : null;
  const step = said === null ? undefined : STEPS.find((minutes) => Math.abs(at - minutes * MINUTE - said) < MINUTE);
  return h(
    "div.grid.times",
    null,
    STEPS.map((minutes) =>
      h(
        "label.option",
        null,
        h("input", {
          type: "radio",
          name: field,
          value: String(minutes),
          checked: minutes === step,
          "aria-label": minutes ? `−${minutes} minutes` : "Now",
        }),
        h(
          "span",
          { "aria-hidden": "true" },
          minutes ? `−${minutes}` : "Now",
          h("small", null, clock.clockTime(at - minutes * MINUTE)),
        ),
      ),
    ),
    h(
      "label.option.typed",
      null,
      h("span", null, "At"),
      h("input", {
        type: "time",
        name: field,
        "aria-label": `${ask}: time`,
        value: said !== null && step === undefined ? clock.clockTime(said) : "",
      }),
    ),
  );
}

/** @param {Question} question @param {Answers} answers */
function minutesChoice({ field, minutes, number, ask }, answers) {
  const value = answers[field],
    listed = minutes?.includes(value);
  return h(
    "div.grid.three",
    null,
    minutes?.map((n) =>
      h(
        "label.option",
        null,
        h("input", { type: "radio", name: field, value: String(n), checked: n === value }),
        h("span", null, `${n / 60} h`),
      ),
    ),
    h(
      "label.option.typed",
      null,
      h("input", {
        type: "number",
        name: field,
        min: number?.[0],
        max: number?.[1],
        inputMode: "numeric",
        "aria-label": `${ask}: minutes`,
        placeholder: "min",
        value: value != null && !listed ? value : "",
      }),
    ),
  );
}

/** @param {Question} question @param {Answers} answers */
function typedField({ field, ask, hint, text, date, number }, answers) {
  const id = `${idOf(field)}-input`,
    value = answers[field] ?? "";
  const common = { id, name: field, value, autocomplete: "off" };
  const input =
    text && text > 100
      ? h("textarea", { ...common, rows: 3, maxLength: text })
      : date
        ? h("input", { ...common, type: "date" })
        : number
          ? h("input", { ...common, type: "number", min: number[0], max: number[1], inputMode: "numeric" })
          : h("input", { ...common, type: "text", maxLength: text, autocapitalize: "characters", spellcheck: false });
  return h(
    "div.field",
    { id: idOf(field) },
    h("label", { htmlFor: id }, ask, hint ? h("small", null, ` ${hint}`) : null),
    input,
  );
}

/**
 * What an input of a question says now.
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
  return kept.length >= /** @type {number} */ (many)
    ? { problem: `No more than ${many}` }
    : { value: [...kept, input.value] };
}
