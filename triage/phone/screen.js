// Which screen is shown, and the one line below it that must never lie. Every screen is drawn from what is on the phone;
// none waits for the network.
import { accounts, waiting } from "./accounts.js";
import * as clock from "./clock.js";
import { button, h, joined, nodes } from "./dom.js";
import { session } from "./state.js";

/**
 * `live` screens are drawn again when the phone learns something; one that is being filled in is not. `locked` ones
 * show nothing of a record, and are the only ones while nobody is signed in.
 * @typedef {"live" | "locked"} Kind
 */
/** @typedef {(...args: any[]) => import("./dom.js").Child[] | Promise<import("./dom.js").Child[]>} Draw */

/** @type {Record<string, {draw: Draw, kind: Kind | undefined}>} */
const screens = {};
let current = { name: "", args: /** @type {any[]} */ ([]) };

/** @param {Record<string, Draw>} draws by the name of the screen @param {Kind} [kind] */
export function register(draws, kind) {
  for (const [name, draw] of Object.entries(draws)) screens[name] = { draw, kind };
}
export const currentScreen = () => current.name;

/** @param {string} text @param {string} way its button @param {() => unknown} action */
export const heading = (text, way, action) => h("header", h("h1", text), button(".quiet", way, action));
/** @param {string} text @param {string} back the screen to go back to @param {...any} args */
export const title = (text, back, ...args) => heading(text, "Back", () => go(back, ...args));

/** Show a screen from its top; its heading gets the focus, so that a screen reader says where one is.
 * @param {string} name @param {...any} args */
export async function go(name, ...args) {
  // locked while a tap was still at work
  if (screens[name].kind !== "locked" && !session.account) return;
  current = { name, args };
  if (!["home", "lock", "enrol"].includes(name) && !history.state?.deep) history.pushState({ deep: true }, "");
  if (!(await draw())) return;
  scrollTo(0, 0);
  const heading = main().querySelector("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

/** Draw the screen again where it is a live one and something on it changed; scroll and focus stay. */
export async function refresh() {
  if (screens[current.name]?.kind === "live") await draw();
}

const main = () => /** @type {HTMLElement} */ (document.getElementById("screen"));

/** False where another screen was opened meanwhile: that one stays. */
async function draw() {
  const drawn = current,
    fresh = document.createElement("main");
  try {
    fresh.append(...nodes(await screens[drawn.name].draw(...drawn.args)));
  } catch (error) {
    if (current === drawn) throw error;
  }
  if (current !== drawn) return false;
  if (main().dataset.screen === drawn.name && main().innerHTML === fresh.innerHTML) return true;
  const focusable = () => [
    .../** @type {NodeListOf<HTMLElement>} */ (main().querySelectorAll("button, input, textarea, h1")),
  ];
  const focused = focusable().indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const top = scrollY;
  main().replaceChildren(...fresh.childNodes);
  main().dataset.screen = drawn.name;
  scrollTo(0, top);
  focusable()[focused]?.focus({ preventScroll: true });
  return true;
}

/**
 * The words of the line: counts from the disk, the time of the last answer, and why nothing moves.
 * @param {{state: string}[]} own
 * @param {import("./accounts.js").Status} status
 * @param {number} others unsent of other people
 * @returns {{level: "good" | "warn" | "bad", text: string, trouble: string, why: string}}
 */
function statusText(own, { phase, why, lastContact }, others) {
  const counted = (/** @type {string} */ state) => own.filter((row) => row.state === state).length;
  const unsent = counted("waiting"),
    refused = counted("refused"),
    withLead = counted("quarantined");
  const text = unsent
    ? `${unsent} only on this phone`
    : refused || withLead
      ? "Not all received"
      : own.length
        ? "All received"
        : "Nothing to send";
  const trouble = joined(
    [
      refused && `${refused} ${refused === 1 ? "needs" : "need"} you`,
      withLead && `${withLead} with the lead`,
      others && `${others} of somebody else`,
    ],
    ", ",
  );
  const last = lastContact === null ? "No contact yet" : `Last contact ${clock.dayTime(lastContact, clock.now())}`;
  return {
    level: refused || phase === "stopped" ? "bad" : unsent || withLead || others ? "warn" : "good",
    text,
    trouble,
    why: phase === "talking" ? "Sending…" : phase === "idle" ? last : `${why}. ${last}`,
  };
}

/** Draw the line, where somebody is signed in. */
export async function drawStatus() {
  const bar = /** @type {HTMLElement} */ (document.getElementById("status"));
  const { account } = session;
  if (!account) {
    bar.hidden = true;
    return;
  }
  const own = await account.db.all("outbox");
  const others = [...accounts.values()].filter((other) => other !== account);
  const theirs = (await Promise.all(others.map(waiting))).flat().length;
  if (session.account !== account) return;
  const { level, text, trouble, why } = statusText(own, account.status, theirs);
  const line = h("span.line", h("b", text), trouble && h("em", trouble), h("small", why));
  const fresh = h(
    "div",
    account.profile.training && h("strong.training", "Training: counts nowhere"),
    button(".state", [h("i", { "aria-hidden": "true" }), line], () => go("outbox")),
    isReleaseReady() && button(".quiet", "New version", takeRelease),
  );
  bar.hidden = false;
  bar.className = level;
  if (bar.innerHTML !== fresh.outerHTML) bar.replaceChildren(fresh);
}

// A new release waits until nobody is in the middle of anything: it is taken on the lock screen, or when asked for.
// One reload, never a loop: it happens once a page, when the new worker has taken over.

/** @type {ServiceWorkerRegistration | null} */
let registration = null;
let reloaded = false;
const WORKER = "/app/sw.js";
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("app", {
  createScriptURL: (/** @type {string} */ url) => {
    if (url !== WORKER) throw new TypeError("no such worker");
    return url;
  },
});

/** @param {() => void} waiting called when a new release is ready */
export async function followReleases(waiting) {
  if (!("serviceWorker" in navigator)) return;
  let controlled = !!navigator.serviceWorker.controller;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    const first = !controlled;
    controlled = true;
    // the very first install takes over without a reload
    if (first || reloaded) return;
    reloaded = true;
    location.reload();
  });
  registration = await navigator.serviceWorker.register(policy?.createScriptURL(WORKER) ?? WORKER, {
    scope: "/app",
    updateViaCache: "none",
  });
  const look = () => {
    if (isReleaseReady() && navigator.serviceWorker.controller) waiting();
  };
  look();
  registration.addEventListener("updatefound", () => registration?.installing?.addEventListener("statechange", look));
}

export const isReleaseReady = () => !!registration?.waiting;
/** The page reloads once the new worker has taken over. */
export const takeRelease = () => registration?.waiting?.postMessage("take over");

/** Nothing of the app stays in the browser. */
export async function forgetApp() {
  await registration?.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
}
