// A form: one long page that moves on to the next open question with each tap. Each answer is on disk before the
// next.
import * as clock from "./clock.js";
import { announce, button, faultList, h, notify } from "./dom.js";
import { amendment, envelope, withdrawal } from "./entries.js";
import { FORMS, REASONS, answersOf, applicable, content, known, nextEvents, replacement } from "./forms.js";
import { answerFrom, idOf, questionNode } from "./questions.js";
import { go } from "./screen.js";
import {
  account,
  contactKind,
  detentionOf,
  entriesOf,
  findCode,
  incidentOf,
  isPolice,
  label,
  load,
  session,
} from "./state.js";
import { record } from "./sync.js";
import { seal } from "./vault.js";
import { FORM_NAMES } from "./words.js";

/** @typedef {import("./forms.js").Question} Question */
/**
 * What is being written, and all that is kept of it. `corrects` and `repairs` name the own entry that is replaced;
 * `open`: known facts are asked too; `announced`: the entry that told the others of the incident; `ask`: the question
 * that this answers.
 * @typedef {{form: string, incident: string, id?: string, answers: Record<string, any>,
 * started: string, announced?: string, open?: boolean, corrects?: string,
 * repairs?: string, original?: any, ask?: {id: string, text: string}}} Draft
 */

const GUARD = 250,
  PAUSE = 400;
const CONTACT = ["officer", "nurse", "paramedic"];

/** @param {Partial<Draft> & {form: string, incident: string}} wanted */
export async function drawForm(wanted) {
  await load();
  const id =
    wanted.id ??
    ((wanted.corrects ?? wanted.repairs)
      ? `correction/${wanted.corrects ?? wanted.repairs}`
      : `${wanted.form}/${wanted.incident}`);
  const kept = session.drafts.find((draft) => draft.id === id);
  const draft = {
    ...begin(wanted),
    ...kept,
    ...(wanted.open ? { open: true } : {}),
    ...(wanted.ask ? { ask: wanted.ask } : {}),
    id,
  };
  return new Form(/** @type {Draft & {id: string}} */ (draft)).draw();
}

/** @param {Partial<Draft> & {form: string, incident: string}} wanted @returns {Draft} */
function begin(wanted) {
  const first = entriesOf(wanted.incident)
    .map(({ entry }) => entry.captured_at)
    .sort()[0];
  const at = clock.phoneTime();
  const answers = wanted.original
    ? answersOf(questionsOf(wanted.form), wanted.original)
    : wanted.form === "outcome"
      ? { decided_at: at }
      : wanted.form === "detention"
        ? { at, power: incidentOf(wanted.incident)?.detention?.power ?? "s136" }
        : wanted.form === "follow_up"
          ? { at }
          : {};
  return { ...wanted, answers, started: wanted.form === "contact" && first && !wanted.original ? first : at };
}

/** @param {string} form */
const questionsOf = (form) => FORMS[form === "contact" ? contactKind() : form];

/** The form that a kind of entry is filled in with; undefined where there is none. @param {string} kind */
export const formOf = (kind) => (CONTACT.includes(kind) ? "contact" : kind in FORMS ? kind : undefined);

class Form {
  /** Taps are dead until then: a wet screen taps twice. */
  #deadUntil = 0;
  #pointerAt = 0;
  #saved = Promise.resolve();
  #closed = false;
  #typing = 0;

  /** @param {Draft & {id: string}} draft */
  constructor(draft) {
    this.draft = draft;
    this.view = incidentOf(draft.incident);
    const correcting = draft.corrects ? [REASONS.amendment] : [];
    this.questions = [...questionsOf(draft.form).map((question) => this.#ordered(question)), ...correcting];
    this.list = h("div.questions");
    this.more = h("div.questions");
    this.save = button(".primary.big", "Save", () => this.#send(), { id: "save" });
    this.progress = /** @type {HTMLProgressElement} */ (h("progress", { "aria-label": "Questions answered" }));
  }

  /** What may come next in a detention stands first. @param {Question} question @returns {Question} */
  #ordered(question) {
    if (question.list !== "detention_event") return question;
    const next = nextEvents(detentionOf(this.draft.incident));
    const rest = (session.codes.lists.detention_event ?? [])
      .map((/** @type {any} */ c) => c.code)
      .filter((/** @type {string} */ code) => !next.includes(code));
    return {
      ...question,
      groups: [
        ["Next", next],
        ["Something else", rest],
      ],
    };
  }

  get skip() {
    const { form, corrects, repairs, open } = this.draft;
    return form !== "contact" || corrects || repairs || open ? {} : known(this.view, findCode);
  }

  draw() {
    for (const list of [this.list, this.more]) {
      list.addEventListener(
        "pointerdown",
        () => {
          this.#pointerAt = performance.now();
        },
        true,
      );
      list.addEventListener("click", (event) => this.#click(event), true);
      list.addEventListener("change", (event) => this.#change(/** @type {HTMLInputElement} */ (event.target)));
      list.addEventListener("input", (event) => this.#type(/** @type {HTMLInputElement} */ (event.target)));
    }
    const more = h(
      "details",
      { open: this.#isMoreUsed() },
      h("summary", null, "More: log number, times, note"),
      this.more,
    );
    this.#refresh();
    const { corrects, repairs, form } = this.draft;
    const title = corrects
      ? `Correct: ${FORM_NAMES[form].toLowerCase()}`
      : repairs
        ? `Put right: ${FORM_NAMES[form].toLowerCase()}`
        : FORM_NAMES[form];
    return [
      h(
        "header.sticky",
        null,
        h("h1", null, title),
        button(".quiet", "Later", () => this.#later()),
        button(".primary.small", "Save", () => this.#send(), { "aria-label": "Save now" }),
        this.progress,
      ),
      this.draft.ask ? h("p.asked", null, h("b", null, "You are asked: "), this.draft.ask.text) : null,
      this.#safety(),
      this.#known(),
      this.#problems(),
      this.list,
      this.questions.some(({ more: asked }) => asked) ? more : null,
      this.save,
      button(".quiet.discard", "Discard", () => this.#discard()),
    ];
  }

  #isMoreUsed() {
    return this.questions.some(({ more, field }) => more && this.draft.answers[field] != null);
  }

  /** For health staff, before they are asked anything: danger, and a clock that runs. */
  #safety() {
    if (isPolice() || this.draft.form !== "contact") return null;
    const text = clock.detentionClock(detentionOf(this.draft.incident), clock.now());
    const danger = this.view?.immediate_danger === "yes" ? "Immediate danger was recorded" : null;
    return danger || text
      ? h("div.safety", { role: "note" }, danger ? h("b", null, danger) : null, text ? h("b", null, text.text) : null)
      : null;
  }

  #known() {
    const skip = Object.entries(this.skip);
    if (!skip.length) return null;
    const facts = this.questions
      .filter(({ field }) => field in this.skip)
      .map(
        ({ field, list, ask }) =>
          `${field === "immediate_danger" ? `${ask.toLowerCase()}: ` : ""}${label(/** @type {string} */ (list), this.skip[field])}`,
      );
    return h(
      "div.known",
      null,
      h("p", null, h("b", null, "Already recorded: "), facts.join(" · ")),
      button(".quiet", "Something there is wrong", () => go("form", { ...this.draft, open: true })),
    );
  }

  #problems() {
    return faultList(session.entries.find(({ id }) => id === this.draft.repairs)?.problem?.errors);
  }

  /** What stands stays, with its state; a condition adds a question of its own below. */
  #refresh() {
    const { answers } = this.draft;
    const asked = applicable(this.questions, answers, this.skip);
    for (const [list, more] of /** @type {[HTMLElement, boolean][]} */ ([
      [this.list, false],
      [this.more, true],
    ])) {
      const there = new Map([...list.children].map((child) => [child.id, child]));
      const wanted = asked
        .filter((question) => !!question.more === more)
        .map((question) => there.get(idOf(question.field)) ?? questionNode(question, answers));
      for (const child of [...list.children]) if (!wanted.includes(child)) child.remove();
      wanted.forEach((child, index) => {
        if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
      });
    }
    const main = asked.filter(({ more }) => !more),
      left = main.filter(({ field }) => !this.#isAnswered(field)).length;
    this.progress.max = main.length;
    this.progress.value = main.length - left;
    this.save.textContent = left ? `Save, ${left} not answered` : "Save";
  }

  /** @param {string} field */
  #isAnswered(field) {
    const value = this.draft.answers[field];
    return value !== undefined && !(Array.isArray(value) && !value.length);
  }

  /** @param {string} field */
  #question(field) {
    return applicable(this.questions, this.draft.answers, this.skip).find((question) => question.field === field);
  }

  /** @param {MouseEvent} event */
  #click(event) {
    if (performance.now() < this.#deadUntil && event.detail) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const input = /** @type {HTMLInputElement} */ (event.target),
      question = input.name && this.#question(input.name);
    if (question && input.type === "radio" && String(this.draft.answers[question.field]) === input.value)
      this.#moveOn(question); // chosen already
  }

  /** @param {HTMLInputElement} input */
  #change(input) {
    const question = this.#question(input.name);
    if (!question) return;
    const answer = answerFrom(question, input, this.draft.answers);
    if ("problem" in answer) {
      if (input.type === "checkbox") input.checked = false;
      input.setAttribute("aria-invalid", "true");
      return notify(answer.problem, "bad");
    }
    input.removeAttribute("aria-invalid");
    this.#set(question, answer.value, input);
    if (input.type === "radio") this.#moveOn(question);
  }

  /** @param {Question} question @param {any} value @param {HTMLInputElement} input */
  #set(question, value, input) {
    const { answers } = this.draft,
      { field, stamp, many } = question;
    if (value === undefined || (value === "" && input.type !== "radio")) delete answers[field];
    else answers[field] = value;
    if (stamp) {
      if (value) answers[stamp] = clock.phoneTime();
      else delete answers[stamp];
      this.more.querySelector(`#${idOf(stamp)}`)?.remove();
    }
    if (many)
      for (const box of this.list.ownerDocument.querySelectorAll(`input[name="${field}"]`)) {
        const option = /** @type {HTMLInputElement} */ (box);
        option.checked = value.includes(option.value);
      }
    for (const other of document.querySelectorAll(`#${idOf(field)} input`))
      if (other !== input && !many) this.#clear(/** @type {HTMLInputElement} */ (other));
    if (field === "area") this.#announce(value);
    this.#keep();
    this.#refresh();
  }

  /** Of a time that was tapped and one that was typed, one holds. @param {HTMLInputElement} input */
  #clear(input) {
    if (input.type === "radio") input.checked = false;
    else input.value = "";
  }

  /** @param {HTMLInputElement} input */
  #type(input) {
    if (!["text", "textarea"].includes(input.type)) return;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      if (!this.#closed) this.#change(input);
    }, PAUSE);
  }

  /** To the next question that is open. A screen reader or a keyboard is not moved. @param {Question} question */
  #moveOn(question) {
    if (question.more || performance.now() - this.#pointerAt > 1_000) return;
    this.#deadUntil = performance.now() + GUARD;
    const asked = applicable(this.questions, this.draft.answers, this.skip).filter(({ more }) => !more);
    const here = asked.findIndex(({ field }) => field === question.field);
    const next = asked.slice(here + 1).find(({ field }) => !this.#isAnswered(field));
    const target = next ? this.list.querySelector(`#${idOf(next.field)}`) : this.save;
    target?.scrollIntoView({ block: next ? "start" : "end", behavior: "instant" });
    if (next) announce(next.ask);
  }

  /**
   * The others of the car find the incident from its first answer on; of the officer's mind alone they may not know.
   * @param {string} area
   */
  #announce(area) {
    const { form, incident, started, announced, corrects, repairs } = this.draft;
    if (form !== "contact" || this.view || announced || corrects || repairs) return;
    const entry = Object.assign(envelope(contactKind(), incident), { area, occurred_at: started });
    this.draft.announced = entry.id;
    record(account(), [entry], { hold: 5_000 }).catch(() => {
      delete this.draft.announced;
    });
  }

  /** One after the other: an older state never overwrites a newer one. */
  #keep() {
    const draft = structuredClone(this.draft),
      { db, dataKey } = account();
    this.#saved = this.#saved
      .then(async () => {
        if (this.#closed || !dataKey) return;
        const sealed = await seal(dataKey, draft, `drafts/${draft.id}`);
        await db.write((stores) => {
          stores("drafts").put({ id: draft.id, ...sealed });
        });
      })
      .catch(() => notify("Not saved: this phone could not write.", "bad"));
    return this.#saved;
  }

  async #later() {
    if (Object.keys(this.draft.answers).length) await this.#keep();
    await go(this.view || this.draft.corrects || this.draft.repairs ? "incident" : "home", this.draft.incident);
  }

  async #send() {
    clearTimeout(this.#typing);
    for (const input of document.querySelectorAll("#screen input[type=text], #screen textarea"))
      this.#change(/** @type {HTMLInputElement} */ (input));
    const missing = applicable(this.questions, this.draft.answers, this.skip).find(
      ({ required, field }) => required && !this.#isAnswered(field),
    );
    if (missing) {
      document.querySelector(`#${idOf(missing.field)}`)?.scrollIntoView({ block: "start", behavior: "instant" });
      return notify(`Answer this first: ${missing.ask}`, "bad");
    }
    const entries = this.#entries();
    if (this.draft.ask) entries[0].answers = this.draft.ask.id;
    await this.#saved;
    await record(account(), entries, { draft: this.draft.id });
    this.#closed = true;
    notify("Saved on this phone");
    await go("incident", this.draft.incident);
  }

  /** @returns {Record<string, any>[]} */
  #entries() {
    const { form, incident, answers, started, corrects, repairs, original } = this.draft;
    const own = session.entries.find(({ id }) => id === (corrects ?? repairs));
    const asked = questionsOf(form);
    if (corrects) {
      const id = corrects;
      return [
        amendment(
          /** @type {any} */ ({ id, incident: own?.incident ?? incident }),
          replacement(asked, original, answers),
          answers["amendment.reason"],
        ),
      ];
    }
    if (repairs && own) {
      const fixed = replacement(asked, original, answers);
      const { kind: _, ...whole } = own.entry;
      return [own.entry.kind === "amendment" ? { ...own.entry, entry: fixed } : { ...envelopeOf(whole), ...fixed }];
    }
    const said = content(asked, answers, this.skip);
    if (form === "stand_down") {
      const { disposal, reason, ...where } = said,
        at = clock.phoneTime();
      return [
        { ...envelope(contactKind(), incident), ...where, occurred_at: started },
        {
          ...envelope("outcome", incident),
          disposal,
          decided_at: at,
          decided_by: contactKind(),
          ...(reason ? { reason } : {}),
        },
      ];
    }
    const when = form === "contact" && !this.view ? { occurred_at: started } : {};
    return [{ ...envelope(form === "contact" ? contactKind() : form, incident), ...when, ...said }];
  }

  /** The entry that told the others goes with the draft, else it would count. */
  async #discard() {
    const again = /** @type {HTMLElement} */ (document.querySelector(".discard"));
    if (!again.dataset.sure) {
      again.dataset.sure = "yes";
      again.textContent = "Tap again to discard";
      announce("Tap again to discard");
      return;
    }
    const { id, incident, announced } = this.draft;
    this.#closed = true;
    await this.#saved;
    const entries = announced ? [withdrawal(/** @type {any} */ ({ id: announced, incident }), "entered_in_error")] : [];
    await record(account(), entries, { draft: id });
    await go("home");
  }
}

/** What an entry carries without being asked. @param {any} entry */
const envelopeOf = ({ id, incident_id, captured_at, codes_version, form_version, car, test, answers }) =>
  Object.fromEntries(
    Object.entries({ id, incident_id, captured_at, codes_version, form_version, car, test, answers }).filter(
      ([, value]) => value !== undefined,
    ),
  );
