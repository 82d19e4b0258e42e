// The first screen after the PIN: what somebody asks of you, what you began, what goes on, and the way into what
// another phone of the car began.
import { waiting } from "./accounts.js";
import * as clock from "./clock.js";
import { button, count, facts, h, input, joined, labelled, list, notify, section } from "./dom.js";
import { openAsk } from "./incident.js";
import { lock, wipe } from "./lock.js";
import { qrCode } from "./qr.js";
import { currentScreen, drawStatus, go, heading, title } from "./screen.js";
import {
  FORM_NAMES,
  account,
  areaOf,
  detentionOf,
  entriesOf,
  envelope,
  incidentOf,
  isPolice,
  kindName,
  lead,
  load,
  person,
  place,
  session,
} from "./state.js";
import { record } from "./sync.js";
import { uuid7 } from "./vault.js";

/** @typedef {import("./sync.js").Incident} Incident */

const HOUR = 3_600_000,
  PREFIX = "triage:",
  UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  QUIET = 4;

export async function drawHome() {
  await load();
  const kept = await navigator.storage?.persisted?.(),
    toAbout = () => go("about");
  return [
    heading(account().profile.name, "Lock", lock),
    section("Asked of you", session.asks, askRow),
    button(".primary.big", "New incident", newIncident),
    h(
      "div.grid.pair",
      button(".option", "Join the car", () => go("join")),
      button(".option", "Stood down", () => go("form", { form: "stand_down", incident: uuid7() })),
    ),
    section("Begun, not saved", session.drafts, draftRow),
    incidents(),
    !kept &&
      h(
        "p.card",
        "This phone may clear what the app holds. Send before you put it away, and install the app. ",
        button(".link", "More", toAbout),
      ),
    h("p.foot", button(".link", "About this phone", toAbout)),
  ];
}

/** The officer's own mind first, before anybody is asked. */
async function newIncident() {
  const incident = uuid7();
  await (isPolice() ? go("intent", { incident }) : go("form", { form: "contact", incident }));
}

/** @param {import("./sync.js").Ask} ask */
const askRow = (ask) =>
  button(
    ".row.ask",
    [
      h("b", ask.text ?? "A question that was erased since"),
      h("span", joined([`from the ${lead()}`, ask.due_at && `by ${clock.dayTime(ask.due_at, clock.now())}`], ", ")),
    ],
    () => openAsk(ask),
    { "data-id": ask.id },
  );

/** @param {any} draft */
const draftRow = (draft) =>
  button(
    ".row",
    [
      h("b", draft.corrects ? `Correction: ${kindName(draft.original).toLowerCase()}` : FORM_NAMES[draft.form]),
      h(
        "span",
        `${place(draft.answers.area ?? incidentOf(draft.incident)?.area)}, begun ${clock.age(Date.now() - Date.parse(draft.started))}`,
      ),
    ],
    () => go("form", draft),
    { "data-id": draft.id },
  );

function incidents() {
  const going = session.incidents
    .filter((view) => view.status === "open" || view.status === "awaiting_outcome")
    .sort(byUrgency);
  const here = new Set(
    session.entries.filter((own) => own.state !== "received" && !incidentOf(own.incident)).map((own) => own.incident),
  );
  const rows = [...[...here].map(localRow), ...going.map(sharedRow)];
  return [
    h("h2", `Open incidents (${rows.length})`),
    rows.length
      ? list(rows, (row) => row)
      : h("p.empty", "Nothing open. A new incident appears here as soon as it has a place."),
  ];
}

/**
 * Shortest clock first, then what is overdue, then one's own, then the newest.
 * @param {Incident} a
 * @param {Incident} b
 */
function byUrgency(a, b) {
  const rank = (/** @type {Incident} */ view) => {
    const text = clock.detentionClock(detentionOf(view.id), clock.now());
    return text ? (text.left ?? 0) : isOverdue(view) ? 9e14 : isMine(view) ? 9e15 : 9e16;
  };
  return rank(a) - rank(b) || b.occurred_at.localeCompare(a.occurred_at);
}
/** @param {Incident} view */
const isOverdue = (view) => view.flags?.includes("outcome_overdue");
/** @param {Incident} view */
const isMine = (view) =>
  view.contributions?.some(({ author }) => author.id === account().profile.staff) || entriesOf(view.id).length > 0;

/** An incident that only this phone knows. @param {string} id */
function localRow(id) {
  const [{ entry }] = entriesOf(id);
  return incidentRow(id, areaOf(id), null, [
    clock.clockTime(clock.serviceTime(entry.captured_at)),
    "only on this phone",
  ]);
}
/** @param {Incident} view */
const sharedRow = (view) =>
  incidentRow(
    view.id,
    view.area,
    isMine(view) && h("small", "yours"),
    [clock.dayTime(view.occurred_at, clock.now()), person(view)],
    isOverdue(view) ? "Outcome overdue" : "",
  );

/** @param {string} id
 * @param {string | null | undefined} area @param {any} whose @param {string[]} words @param {string} [otherwise] */
function incidentRow(id, area, whose, words, otherwise) {
  const text = clock.detentionClock(detentionOf(id), clock.now());
  const state = text?.text ?? otherwise;
  return button(
    `.row.${text?.level ?? "plain"}`,
    [h("b", place(area), whose), h("span", joined(words)), state && h("em", state)],
    () => go("incident", id),
    { "data-id": id },
  );
}

// Two phones and one car: an incident's number goes from one to the other, nothing else.

/** @param {string} id */
export function drawShare(id) {
  return [
    title("Scan with the other phone", "incident", id),
    picture(`${PREFIX}${id}`),
    h("p", "There: “Join the car”. The picture holds the number of the incident, nothing about the person."),
  ];
}

/** @param {string} text */
function picture(text) {
  const modules = qrCode(text),
    size = modules.length + 2 * QUIET;
  const [svg, path] = ["svg", "path"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
  const squares = modules.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : "")));
  path.setAttribute("d", squares.join(""));
  const attributes = {
    viewBox: `0 0 ${size} ${size}`,
    class: "qr",
    role: "img",
    "aria-label": "QR code of this incident",
  };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  svg.append(path);
  return svg;
}

/** Scan, pick from the last hour, or type the log number. */
export async function drawJoin() {
  await load();
  const recent = session.incidents.filter(
    (view) => view.status !== "closed" && clock.now() - Date.parse(view.occurred_at) < HOUR,
  );
  const log = input("log");
  return [
    title("Join the car", "home"),
    "BarcodeDetector" in window && button(".primary.big", "Scan their picture", () => go("scan")),
    h("h2", "Open, last hour"),
    recent.length ? list(recent, sharedRow) : h("p.empty", "None has reached this phone yet."),
    h("h2", "Or by its log number"),
    labelled("Log number", log),
    button("", "Join", () => byLogNumber(log.value.trim())),
  ];
}

/** @param {string} text */
const plain = (text) => text.toLowerCase().replace(/[\s-]/g, "");

/**
 * An incident that this phone does not hold yet is begun under its log number; a person joins the two later.
 * @param {string} log
 */
async function byLogNumber(log) {
  if (!log) return notify("Type the log number first", "bad");
  const view = session.incidents.find(({ log_ref }) => log_ref && plain(log_ref) === plain(log));
  if (view) return go("incident", view.id);
  const id = uuid7();
  await record(account(), [{ ...envelope("contact", id), log_ref: log, occurred_at: clock.phoneTime() }]);
  await go("incident", id);
}

/** The camera, until a code of ours is seen or the screen is left. */
export function drawScan() {
  const video = /** @type {HTMLVideoElement} */ (
    h("video.scan", { playsInline: true, muted: true, "aria-label": "Camera" })
  );
  scan(video).catch(() =>
    notify("The camera could not be used. Pick it from the list, or type its log number.", "bad"),
  );
  return [
    title("Point at the picture", "join"),
    video,
    h("p", "Or go back and pick it from the list."),
    button("", "It is a new incident", newIncident),
  ];
}

/** @param {HTMLVideoElement} video */
async function scan(video) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  try {
    video.srcObject = stream;
    await video.play();
    const detector = new /** @type {any} */ (window).BarcodeDetector({ formats: ["qr_code"] });
    while (currentScreen() === "scan" && session.account) {
      for (const { rawValue } of await detector.detect(video)) {
        const id = rawValue.startsWith(PREFIX) ? rawValue.slice(PREFIX.length).toLowerCase() : "";
        if (UUID.test(id)) return await joinIncident(id);
      }
      await new Promise((next) => setTimeout(next, 150));
    }
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

/**
 * An incident that was scanned may not have reached this phone yet: one's own record is begun under its number.
 * @param {string} incident
 */
const joinIncident = (incident) =>
  incidentOf(incident) ? go("incident", incident) : go("form", { form: "contact", incident });

// About this phone: what runs here, what it keeps, how right its clock is, and how to empty it.

const KEPT = "kept until you empty it",
  MAY_GO = "the phone may clear it: install the app";

export async function drawAbout() {
  const { profile, db, status } = account();
  const [kept, estimate, service, unsent] = await Promise.all([
    navigator.storage?.persisted?.(),
    navigator.storage?.estimate?.(),
    db.get("meta", "version"),
    waiting(account()),
  ]);
  const used = estimate?.usage && `${Math.ceil(estimate.usage / 1_048_576)} MB used`;
  const car = input("car", { value: profile.car ?? "", onchange: () => change({ car: car.value.trim() }) });
  const training = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "checkbox",
      checked: !!profile.training,
      onchange: () => change({ training: training.checked }),
    })
  );
  return [
    title("About this phone", "home"),
    facts([
      ["You", `${profile.name}, ${profile.team}`],
      ["App", document.querySelector("meta[name=version]")?.getAttribute("content") ?? "–"],
      ["Service", service?.split(" ")[0] ?? "–"],
      ["Last contact", status.lastContact ? clock.dayTime(status.lastContact, clock.now()) : "none yet"],
      ["This phone’s clock", clockError(Math.round(-clock.getOffset() / 1000))],
      ["Storage", joined([kept ? KEPT : MAY_GO, used], ", ")],
    ]),
    labelled("Your car", car),
    h("label.option.training", training, h("span", "Training: what I record counts nowhere")),
    h("h2", "Leaving this phone"),
    h(
      "p",
      unsent.length
        ? `${count(unsent.length, "entry is", "entries are")} only on this phone. If you empty it now, they are lost.`
        : "Everything was received. Nothing is lost if you empty it.",
    ),
    button(".danger", `Empty this phone${unsent.length ? " and lose what is unsent" : ""}`, () => go("empty")),
  ];
}

/** @param {number} seconds fast, or slow where below nought */
function clockError(seconds) {
  const size = Math.abs(seconds);
  if (size < 5) return "right";
  const words = size < 60 ? count(size, "second") : clock.duration(size * 1000);
  return `${words} ${seconds > 0 ? "fast" : "slow"}; times shown are set right`;
}

/** @param {Partial<import("./accounts.js").Profile>} part */
async function change(part) {
  const profile = { ...account().profile, ...part };
  await account().db.put("meta", { profile });
  account().profile = profile;
  await drawStatus();
  notify("Saved on this phone");
}

/** Asked once more; twice where something would be lost. @param {boolean} [again] */
export async function drawEmpty(again = false) {
  const unsent = (await waiting(account())).length;
  return [
    title(again ? "Really lose them?" : "Empty this phone?", "about"),
    h(
      "p",
      unsent
        ? `${count(unsent, "entry was", "entries were")} never sent and cannot be got back.`
        : "You need a new code to use the app here again.",
    ),
    button(".danger", again ? "Yes, lose them" : "Yes, empty it", () =>
      unsent && !again ? go("empty", true) : wipe(account(), ""),
    ),
    button(".primary.big", "No, keep it", () => go("home")),
  ];
}
