// A form: one long page that moves on to the next open question with each tap. Each answer is on disk before the
// next.
import * as clock from "./clock.js";
import { announce, button, faultList, h, joined, notify } from "./dom.js";
import { FORMS, REASONS, answersOf, applicable, content, known, listOf, nextEvents, replacement } from "./forms.js";
import { answerFrom, idOf, questionNode } from "./questions.js";
import { go } from "./screen.js";
import {
  ENVELOPE,
  FORM_NAMES,
  account,
  amendment,
  contactKind,
  detentionOf,
  entriesOf,
  envelope,
  findCode,
  incidentOf,
  isPolice,
  label,
  load,
  session,
  withdrawal,
} from "./state.js";
import { record } from "./sync.js";
import { seal } from "./vault.js";

/** @typedef {import("./forms.js").Question} Question */
/**
 * A draft, and all that is kept of it. `corrects` and `repairs` name the own entry that is replaced;
 * `open`: known facts are asked too; `announced`: the entry that told the others of the incident; `ask`: the question
 * that this answers.
 * @typedef {{form: string, incident: string, id: string, answers: Record<string, any>,
 * started: string, announced?: string, open?: boolean, corrects?: string,
 * repairs?: string, original?: any, ask?: {id: string, text: string}}} Draft
 */
/** @typedef {Partial<Draft> & {form: string, incident: string}} Wanted */

const GUARD = 250,
  PAUSE = 400;

/** @param {Wanted} wanted */
export async function drawForm(wanted) {
  await load();
  const { form, incident, corrects, repairs, open, ask } = wanted,
    replaced = corrects ?? repairs;
  const id = wanted.id ?? (replaced ? `correction/${replaced}` : `${form}/${incident}`);
  const kept = session.drafts.find((draft) => draft.id === id);
  return new Form({ ...begin(wanted), ...kept, ...(open ? { open } : {}), ...(ask ? { ask } : {}), id }).draw();
}

/** @param {Wanted} wanted */
function begin({ ...wanted }) {
  const { form, incident, original } = wanted;
  const at = clock.phoneTime();
  const first = entriesOf(incident)
    .map(({ entry }) => entry.captured_at)
    .sort()[0];
  /** @type {Record<string, any>} */
  const given = {
    outcome: { decided_at: at },
    detention: { at, power: incidentOf(incident)?.detention?.power ?? "s136" },
    follow_up: { at },
  };
  return {
    ...wanted,
    answers: original ? answersOf(questionsOf(form), original) : (given[form] ?? {}),
    started: form === "contact" && first && !original ? first : at,
  };
}

/** @param {string} form */
const questionsOf = (form) => FORMS[form === "contact" ? contactKind() : form];

class Form {
  /** Taps are dead until then: a wet screen taps twice. */
  #deadUntil = 0;
  #pointerAt = 0;
  #saved = Promise.resolve();
  #closed = false;
  #typing = 0;
  /** @type {Question[]} those that apply now */
  #asked = [];

  /** @param {Draft} draft */
  constructor(draft) {
    const { form, corrects, repairs, incident } = draft;
    this.draft = draft;
    this.view = incidentOf(incident);
    this.skip = form !== "contact" || corrects || repairs || draft.open ? {} : known(this.view, findCode);
    this.questions = [...questionsOf(form).map((question) => this.#ordered(question))];
    if (corrects) this.questions.push(REASONS.amendment);
    const onpointerdown = () => {
      this.#pointerAt = performance.now();
    };
    const onclick = (/** @type {MouseEvent} */ event) => this.#click(event),
      onchange = (/** @type {any} */ { target }) => this.#change(target),
      oninput = (/** @type {any} */ { target }) => this.#type(target);
    const list = () => h("div.questions", { onpointerdown, onclick, onchange, oninput });
    this.list = list();
    this.more = list();
    const summary = `More${form === "contact" ? ": log number, times, note" : ""}`,
      open = this.questions.some(({ more, field }) => more && draft.answers[field] != null);
    this.details = /** @type {HTMLDetailsElement} */ (
      h("details", { open, ontoggle: () => this.#refresh() }, h("summary", summary), this.more)
    );
    this.save = button(".primary.big", "Save", () => this.#send(), { id: "save" });
    this.progress = /** @type {HTMLProgressElement} */ (h("progress", { "aria-label": "Questions answered" }));
  }

  /** The events that may come next in a detention stand first. @param {Question} question @returns {Question} */
  #ordered(question) {
    if (listOf(question) !== "detention_event") return question;
    const next = nextEvents(detentionOf(this.draft.incident));
    const rest = session.codes.lists.detention_event.map((/** @type {any} */ { code }) => code);
    return {
      ...question,
      groups: [
        ["Next", next],
        ["Something else", rest.filter((/** @type {string} */ code) => !next.includes(code))],
      ],
    };
  }

  draw() {
    this.#refresh();
    const { corrects, repairs, form, ask } = this.draft,
      doing = corrects ? "Correct: " : repairs ? "Put right: " : "",
      name = FORM_NAMES[form];
    return [
      h(
        "header.sticky",
        h("h1", doing ? doing + name.toLowerCase() : name),
        button(".quiet", "Later", () => this.#later()),
        button(".primary.small", "Save", () => this.#send(), { "aria-label": "Save now" }),
        this.progress,
      ),
      ask && h("p.card.ask", h("b", "You are asked: "), ask.text),
      this.#safety(),
      this.#known(),
      faultList(session.entries.find(({ id }) => id === repairs)?.problem?.errors),
      this.list,
      this.details,
      this.save,
      button(".quiet.discard", "Discard", () => this.#discard()),
    ];
  }

  /** For health staff, before they are asked anything: danger, and a clock that runs. */
  #safety() {
    if (isPolice() || this.draft.form !== "contact") return null;
    const lines = [
      this.view?.immediate_danger === "yes" && "Immediate danger was recorded",
      clock.detentionClock(detentionOf(this.draft.incident), clock.now())?.text,
    ].filter(Boolean);
    return (
      lines.length > 0 &&
      h(
        "div.card.safety",
        { role: "note" },
        lines.map((line) => h("b", line)),
      )
    );
  }

  #known() {
    const facts = this.questions
      .filter(({ field }) => field in this.skip)
      .map((question) => {
        const words = label(listOf(question) ?? "", this.skip[question.field]);
        return question.field === "immediate_danger" ? `${question.ask.toLowerCase()}: ${words}` : words;
      });
    return (
      facts.length > 0 &&
      h(
        "div.card",
        h("p", h("b", "Already recorded: "), joined(facts)),
        button(".quiet", "Something there is wrong", () => go("form", { ...this.draft, open: true })),
      )
    );
  }

  /** Questions that stand already stay, with their state; a condition adds one below. Folded away, none is drawn. */
  #refresh() {
    const { answers } = this.draft;
    this.#asked = applicable(this.questions, answers, this.skip);
    const [main, more] = [false, true].map((more) => this.#asked.filter((question) => !!question.more === more)),
      left = main.filter((question) => !this.#isAnswered(question)).length;
    this.#place(this.list, main);
    this.details.hidden = !more.length;
    if (this.details.open) this.#place(this.more, more);
    this.progress.max = main.length;
    this.progress.value = main.length - left;
    this.save.textContent = left ? `Save, ${left} not answered` : "Save";
  }

  /** @param {HTMLElement} list @param {Question[]} questions */
  #place(list, questions) {
    const there = new Map([...list.children].map((child) => [child.id, child]));
    const wanted = questions.map(
      (question) => there.get(idOf(question.field)) ?? questionNode(question, this.draft.answers),
    );
    for (const child of there.values()) if (!wanted.includes(child)) child.remove();
    wanted.forEach((child, index) => {
      if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
    });
  }

  /** @param {Question} question */
  #isAnswered({ field }) {
    const value = this.draft.answers[field];
    return value !== undefined && !(Array.isArray(value) && !value.length);
  }

  /** @param {string} field */
  #question = (field) => this.#asked.find((question) => question.field === field);

  /** @param {MouseEvent} event */
  #click(event) {
    if (performance.now() < this.#deadUntil && event.detail) return event.preventDefault();
    const { name, type, value } = /** @type {HTMLInputElement} */ (event.target),
      question = this.#question(name);
    // chosen already
    if (question && type === "radio" && String(this.draft.answers[name]) === value) this.#moveOn(question);
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
  #set({ field, stamp, many }, value, input) {
    const { answers } = this.draft;
    if (value === undefined || (value === "" && input.type !== "radio")) delete answers[field];
    else answers[field] = value;
    if (stamp) {
      if (value) answers[stamp] = clock.phoneTime();
      else delete answers[stamp];
      this.more.querySelector(`#${idOf(stamp)}`)?.remove();
    }
    for (const other of /** @type {NodeListOf<HTMLInputElement>} */ (
      document.querySelectorAll(`#${idOf(field)} input`)
    )) {
      if (many) other.checked = value.includes(other.value);
      else if (other !== input) clear(other);
    }
    if (field === "area") this.#announce(value);
    this.#keep();
    this.#refresh();
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
    const later = this.#asked.slice(this.#asked.indexOf(question) + 1),
      next = later.find((candidate) => !candidate.more && !this.#isAnswered(candidate));
    if (!next) return this.save.scrollIntoView({ block: "end", behavior: "instant" });
    show(next);
    announce(next.ask);
  }

  /** The others of the car find the incident from its first answer on; of the officer's mind alone they may not know.
   * @param {string} area */
  #announce(area) {
    const { form, incident, started, announced, corrects, repairs } = this.draft;
    if (form !== "contact" || this.view || announced || corrects || repairs) return;
    const entry = Object.assign(envelope(form, incident), { area, occurred_at: started });
    this.draft.announced = entry.id;
    record(account(), [entry], { hold: 5_000 }).catch(() => {
      delete this.draft.announced;
    });
  }

  /** One after the other: an older state never overwrites a newer one. */
  #keep() {
    const draft = structuredClone(this.draft),
      { id } = draft,
      { db, dataKey } = account();
    this.#saved = this.#saved
      .then(async () => {
        if (this.#closed || !dataKey) return;
        const sealed = await seal(dataKey, draft, `drafts/${id}`);
        await db.write((stores) => {
          stores("drafts").put({ id, ...sealed });
        });
      })
      .catch(() => notify("Not saved: this phone could not write.", "bad"));
    return this.#saved;
  }

  async #later() {
    const { answers, corrects, repairs, incident } = this.draft;
    if (Object.keys(answers).length) await this.#keep();
    await go(this.view || corrects || repairs ? "incident" : "home", incident);
  }

  async #send() {
    clearTimeout(this.#typing);
    for (const input of document.querySelectorAll("#screen input[type=text], #screen textarea"))
      this.#change(/** @type {HTMLInputElement} */ (input));
    const missing = this.#asked.find((question) => question.required && !this.#isAnswered(question));
    if (missing) {
      show(missing);
      return notify(`Answer this first: ${missing.ask}`, "bad");
    }
    const { ask, id, incident } = this.draft,
      entries = this.#entries();
    if (ask) entries[0].answers = ask.id;
    await this.#saved;
    await record(account(), entries, { draft: id });
    this.#closed = true;
    notify("Saved on this phone");
    await go("incident", incident);
  }

  /** @returns {Record<string, any>[]} */
  #entries() {
    const { form, incident, answers, started, corrects, repairs, original } = this.draft;
    const own = session.entries.find(({ id }) => id === (corrects ?? repairs)),
      asked = questionsOf(form);
    if (corrects) {
      const replaced = { id: corrects, incident: own?.incident ?? incident };
      return [amendment(replaced, replacement(asked, original, answers), answers["amendment.reason"])];
    }
    if (own) {
      const fixed = replacement(asked, original, answers),
        { entry } = own;
      if (entry.kind === "amendment") return [{ ...entry, entry: fixed }];
      return [
        {
          ...Object.fromEntries(ENVELOPE.filter((field) => field in entry).map((field) => [field, entry[field]])),
          ...fixed,
        },
      ];
    }
    const said = content(asked, answers, this.skip);
    if (form === "stand_down") {
      const { disposal, reason, ...where } = said;
      const outcome = { disposal, reason, decided_at: clock.phoneTime(), decided_by: contactKind() };
      return [
        { ...envelope("contact", incident), ...where, occurred_at: started },
        { ...envelope("outcome", incident), ...outcome },
      ];
    }
    return [
      { ...envelope(form, incident), ...(form === "contact" && !this.view ? { occurred_at: started } : {}), ...said },
    ];
  }

  /** The entry that told the others goes with the draft, else it would count. */
  async #discard() {
    const again = /** @type {HTMLElement} */ (document.querySelector(".discard")),
      sure = "Tap again to discard";
    if (again.textContent !== sure) {
      again.textContent = sure;
      return announce(sure);
    }
    const { id, incident, announced } = this.draft;
    this.#closed = true;
    await this.#saved;
    const entries = announced ? [withdrawal({ id: announced, incident }, "entered_in_error")] : [];
    await record(account(), entries, { draft: id });
    await go("home");
  }
}

/** @param {Question} question */
const show = ({ field }) =>
  document.getElementById(idOf(field))?.scrollIntoView({ block: "start", behavior: "instant" });

/** Of a time that was tapped and one that was typed, one holds. @param {HTMLInputElement} input */
function clear(input) {
  if (input.type === "radio") input.checked = false;
  else input.value = "";
}
