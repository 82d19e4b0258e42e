// Two phones and one car: an incident's number goes from one to the other, nothing else.
import * as clock from "./clock.js";
import { button, h, notify } from "./dom.js";
import { envelope } from "./entries.js";
import { title } from "./incident.js";
import { newIncident } from "./home.js";
import { qrCode } from "./qr.js";
import { currentScreen, go } from "./screen.js";
import { account, contactKind, load, person, place, session } from "./state.js";
import { record } from "./sync.js";
import { uuid7 } from "./vault.js";

const HOUR = 3_600_000,
  PREFIX = "triage:",
  UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SVG = "http://www.w3.org/2000/svg",
  QUIET = 4;

/** @param {string} id */
export function drawShare(id) {
  return [
    title("Scan with the other phone", "incident", id),
    picture(`${PREFIX}${id}`),
    h("p", null, "There: “Join the car”. The picture holds the number of the incident, nothing about the person."),
  ];
}

/** @param {string} text */
function picture(text) {
  const modules = qrCode(text),
    size = modules.length + 2 * QUIET;
  const svg = document.createElementNS(SVG, "svg"),
    path = document.createElementNS(SVG, "path");
  path.setAttribute(
    "d",
    modules.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ""))).join(""),
  );
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "QR code of this incident");
  svg.append(path);
  return svg;
}

/** Scan, pick from the last hour, or type the log number. */
export async function drawJoin() {
  await load();
  const recent = session.incidents.filter(
    (view) => view.status !== "closed" && clock.now() - Date.parse(view.occurred_at) < HOUR,
  );
  const input = /** @type {HTMLInputElement} */ (
    h("input", { id: "log", maxLength: 64, autocomplete: "off", autocapitalize: "characters", spellcheck: false })
  );
  return [
    title("Join the car", "home"),
    "BarcodeDetector" in window ? button(".primary.big", "Scan their picture", () => go("scan")) : null,
    h("h2", null, "Open, last hour"),
    recent.length
      ? h(
          "ul.list",
          null,
          recent.map((view) =>
            h(
              "li",
              null,
              button(
                ".row",
                [
                  h("b", null, place(view.area)),
                  h("span", null, [clock.clockTime(view.occurred_at), person(view)].filter(Boolean).join(" · ")),
                ],
                () => go("incident", view.id),
                { "data-id": view.id },
              ),
            ),
          ),
        )
      : h("p.empty", null, "None has reached this phone yet."),
    h("h2", null, "Or by its log number"),
    h("div.field", null, h("label", { htmlFor: "log" }, "Log number"), input),
    button("", "Join", () => byLogNumber(input.value.trim())),
  ];
}

/** @param {string} text */
const plain = (text) => text.toLowerCase().replace(/[\s-]/g, "");

/**
 * What this phone does not hold yet is begun under its log number; the two are joined later by a person.
 * @param {string} log
 */
async function byLogNumber(log) {
  if (!log) return notify("Type the log number first", "bad");
  const view = session.incidents.find(({ log_ref }) => log_ref && plain(log_ref) === plain(log));
  if (view) return go("incident", view.id);
  const id = uuid7();
  await record(account(), [{ ...envelope(contactKind(), id), log_ref: log, occurred_at: clock.phoneTime() }]);
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
    h("p", null, "Or go back and pick it from the list."),
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
        if (UUID.test(id)) return await joined(id);
      }
      await new Promise((next) => setTimeout(next, 150));
    }
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

/**
 * An incident that was scanned may not have reached this phone yet: one's own record is begun under its number.
 * @param {string} id
 */
const joined = (id) =>
  session.incidents.some((view) => view.id === id || view.linked_ids?.includes(id))
    ? go("incident", id)
    : go("form", { form: "contact", incident: id });
