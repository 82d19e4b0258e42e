// The first screen after the PIN: what somebody asks of you, what you began, what goes on.
import * as clock from "./clock.js";
import { button, h } from "./dom.js";
import { openAsk } from "./incident.js";
import { lock } from "./lock.js";
import { go } from "./screen.js";
import { account, detentionOf, entriesOf, isPolice, load, person, place, session } from "./state.js";
import { FORM_NAMES, kindName, leadOf } from "./words.js";
import { uuid7 } from "./vault.js";

export async function drawHome() {
  await load();
  const { profile } = account();
  const kept = await navigator.storage?.persisted?.();
  return [
    h("header", null, h("h1", null, profile.name), button(".quiet", "Lock", lock)),
    asks(),
    button(".primary.big", "New incident", newIncident, { id: "new" }),
    h(
      "div.grid.pair",
      null,
      button(".option", "Join the car", () => go("join")),
      button(".option", "Stood down", standDown),
    ),
    drafts(),
    incidents(),
    kept
      ? null
      : h(
          "p.note",
          null,
          "This phone may clear what the app holds. Send before you put it away, and install the app. ",
          button(".link", "More", () => go("about")),
        ),
    h(
      "p.foot",
      null,
      button(".link", "About this phone", () => go("about")),
    ),
  ];
}

/** The officer's own mind first, before anybody is asked. */
export async function newIncident() {
  const id = uuid7();
  await (isPolice() ? go("intent", { incident: id }) : go("form", { form: "contact", incident: id }));
}
const standDown = () => go("form", { form: "stand_down", incident: uuid7() });

function asks() {
  if (!session.asks.length) return null;
  return [
    h("h2", null, "Asked of you"),
    h(
      "ul.list",
      null,
      session.asks.map((ask) =>
        h(
          "li",
          null,
          button(
            ".row.ask",
            [
              h("b", null, ask.text ?? "A question that was erased since"),
              h(
                "span",
                null,
                [
                  `from the ${leadOf(account().profile.profession)}`,
                  ask.due_at && `by ${clock.dayTime(ask.due_at, clock.now())}`,
                ]
                  .filter(Boolean)
                  .join(", "),
              ),
            ],
            () => openAsk(ask),
            { "data-id": ask.id },
          ),
        ),
      ),
    ),
  ];
}

function drafts() {
  if (!session.drafts.length) return null;
  return [
    h("h2", null, "Begun, not saved"),
    h(
      "ul.list",
      null,
      session.drafts.map((draft) =>
        h(
          "li",
          null,
          button(
            ".row",
            [
              h("b", null, draftName(draft)),
              h(
                "span",
                null,
                `${place(draft.answers.area ?? session.incidents.find((i) => i.id === draft.incident)?.area)}, begun ${clock.age(Date.now() - Date.parse(draft.started))}`,
              ),
            ],
            () => go("form", draft),
            { "data-id": draft.id },
          ),
        ),
      ),
    ),
  ];
}
/** @param {any} draft */
const draftName = (draft) =>
  draft.corrects ? `Correction: ${kindName(draft.original).toLowerCase()}` : FORM_NAMES[draft.form];

function incidents() {
  const going = session.incidents
    .filter((view) => view.status === "open" || view.status === "awaiting_outcome")
    .sort(byUrgency);
  const held = new Set(session.incidents.flatMap((view) => [view.id, ...(view.linked_ids ?? [])]));
  const here = [
    ...new Set(
      session.entries.filter((own) => !held.has(own.incident) && own.state !== "received").map((own) => own.incident),
    ),
  ];
  return [
    h("h2", null, `Open incidents (${going.length + here.length})`),
    going.length + here.length
      ? h("ul.list", null, here.map(localRow), going.map(row))
      : h("p.empty", null, "Nothing open. A new incident appears here as soon as it has a place."),
  ];
}

/** @typedef {import("./wire.js").Incident} Incident */

/**
 * Shortest clock first, then what is overdue, then one's own, then the newest.
 * @param {Incident} a
 * @param {Incident} b
 */
function byUrgency(a, b) {
  const rank = (/** @type {Incident} */ view) => {
    const text = clock.detentionClock(detentionOf(view.id), clock.now());
    return text ? (text.left ?? 0) : view.flags?.includes("outcome_overdue") ? 9e14 : isMine(view) ? 9e15 : 9e16;
  };
  return rank(a) - rank(b) || b.occurred_at.localeCompare(a.occurred_at);
}
/** @param {Incident} view */
const isMine = (view) =>
  view.contributions?.some(({ author }) => author.id === account().profile.staff) || entriesOf(view.id).length > 0;

/** @param {Incident} view */
function row(view) {
  const text = clock.detentionClock(detentionOf(view.id), clock.now());
  const overdue = !text && view.flags?.includes("outcome_overdue") ? "Outcome overdue" : null;
  return h(
    "li",
    null,
    button(
      `.row.${text?.level ?? "plain"}`,
      [
        h("b", null, place(view.area), isMine(view) ? h("small", null, "yours") : null),
        h("span", null, [clock.dayTime(view.occurred_at, clock.now()), person(view)].filter(Boolean).join(" · ")),
        text || overdue ? h("em", null, text?.text ?? overdue) : null,
      ],
      () => go("incident", view.id),
      { "data-id": view.id },
    ),
  );
}
/** An incident that only this phone knows. @param {string} id */
function localRow(id) {
  const own = session.entries.filter((entry) => entry.incident === id);
  const area = own.map(({ entry }) => entry.area).find(Boolean);
  const text = clock.detentionClock(detentionOf(id), clock.now());
  return h(
    "li",
    null,
    button(
      `.row.${text?.level ?? "plain"}`,
      [
        h("b", null, place(area)),
        h("span", null, `${clock.clockTime(clock.serviceTime(own[0].entry.captured_at))} · only on this phone`),
        text ? h("em", null, text.text) : null,
      ],
      () => go("incident", id),
      { "data-id": id },
    ),
  );
}
