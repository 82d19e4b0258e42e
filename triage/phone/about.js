// About this phone: what runs here, what it keeps, how right its clock is, and how to empty it.
import * as clock from "./clock.js";
import { button, h, notify } from "./dom.js";
import { title } from "./incident.js";
import { wipe } from "./lock.js";
import { go } from "./screen.js";
import { account } from "./state.js";
import { drawStatus } from "./status.js";
import { count } from "./words.js";

const KEPT = "kept until you empty it",
  MAY_GO = "the phone may clear it: install the app";

export async function drawAbout() {
  const { profile, db, status } = account();
  const [kept, estimate, service, rows] = await Promise.all([
    navigator.storage?.persisted?.(),
    navigator.storage?.estimate?.(),
    db.get("meta", "version"),
    db.all("outbox"),
  ]);
  const waiting = rows.filter((row) => row.state === "waiting").length;
  const error = Math.round(-clock.getOffset() / 1000);
  /** @type {[string, string][]} */
  const facts = [
    ["You", `${profile.name}, ${profile.team}`],
    ["App", document.querySelector("meta[name=version]")?.getAttribute("content") ?? "–"],
    ["Service", service?.split(" ")[0] ?? "–"],
    ["Last contact", status.lastContact ? clock.dayTime(status.lastContact, clock.now()) : "none yet"],
    [
      "This phone’s clock",
      Math.abs(error) < 5 ? "right" : `${clockError(error)} ${error > 0 ? "fast" : "slow"}; times shown are set right`,
    ],
    [
      "Storage",
      `${kept ? KEPT : MAY_GO}${estimate?.usage ? `, ${Math.ceil(estimate.usage / 1_048_576)} MB used` : ""}`,
    ],
  ];
  const car = /** @type {HTMLInputElement} */ (
    h("input", {
      id: "car",
      maxLength: 64,
      value: profile.car ?? "",
      autocomplete: "off",
      onchange: () => change({ car: car.value.trim() }),
    })
  );
  const training = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "checkbox",
      checked: !!profile.training,
      onchange: () => change({ training: training.checked }),
    })
  );
  return [
    title("About this phone", "home"),
    h(
      "dl.facts",
      null,
      facts.map(([words, value]) => h("div", null, h("dt", null, words), h("dd", null, value))),
    ),
    h("div.field", null, h("label", { htmlFor: "car" }, "Your car"), car),
    h("label.option.training", null, training, h("span", null, "Training: what I record counts nowhere")),
    h("h2", null, "Leaving this phone"),
    h(
      "p",
      null,
      waiting
        ? `${count(waiting, "entry is", "entries are")} only on this phone. If you empty it now, they are lost.`
        : "Everything was received. Nothing is lost if you empty it.",
    ),
    button(".danger", waiting ? "Empty this phone and lose what is unsent" : "Empty this phone", () => go("empty")),
  ];
}

/** @param {number} seconds */
const clockError = (seconds) =>
  Math.abs(seconds) < 60 ? count(Math.abs(seconds), "second") : `${clock.duration(seconds * 1000)}`;

/** @param {Partial<import("./accounts.js").Profile>} part */
async function change(part) {
  const { db } = account();
  const profile = { ...account().profile, ...part };
  await db.write((stores) => {
    stores("meta").put(profile, "profile");
  });
  account().profile = profile;
  await drawStatus();
  notify("Saved on this phone");
}

/** Asked once more; twice where something would be lost. @param {boolean} [again] */
export async function drawEmpty(again = false) {
  const waiting = (await account().db.all("outbox")).filter((row) => row.state === "waiting").length;
  const sure = () =>
    waiting && !again
      ? go("empty", true)
      : wipe(account(), "This phone was emptied", "It was taken off the team. Ask for a new code to use it again.");
  return [
    title(again ? "Really lose them?" : "Empty this phone?", "about"),
    h(
      "p",
      null,
      waiting
        ? `${count(waiting, "entry was", "entries were")} never sent and cannot be got back.`
        : "You need a new code to use the app here again.",
    ),
    button(".danger", again ? "Yes, lose them" : "Yes, empty it", sure),
    button(".primary.big", "No, keep it", () => go("home")),
  ];
}
