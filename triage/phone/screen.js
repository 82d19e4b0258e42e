// Which screen is shown. Every screen is drawn from what is on the phone; none waits for the network.
import { nodes } from "./dom.js";
import { session } from "./state.js";

/**
 * `live` screens are drawn again when the phone learns something; one that is being filled in is not. `locked` ones
 * show nothing of a record, and are the only ones while nobody is signed in.
 * @typedef {{draw: (...args: any[]) => import("./dom.js").Child[] | Promise<import("./dom.js").Child[]>,
 * live?: boolean, locked?: boolean}} Screen
 */

/** @type {Record<string, Screen>} */
const screens = {};
let current = { name: "", args: /** @type {any[]} */ ([]) };

/** @param {Record<string, Screen>} named */
export const register = (named) => Object.assign(screens, named);
export const currentScreen = () => current.name;

/** Show a screen from its top; its heading gets the focus, so that a screen reader says where one is.
 * @param {string} name @param {...any} args */
export async function go(name, ...args) {
  if (!screens[name].locked && !session.account) return; // locked while a tap was still at work
  current = { name, args };
  if (name !== "home" && name !== "lock" && name !== "enrol" && !history.state?.deep)
    history.pushState({ deep: true }, "");
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
  if (screens[current.name]?.live) await draw();
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
  const focused = [...main().querySelectorAll("button, input, textarea, h1")].indexOf(
    /** @type {Element} */ (document.activeElement),
  );
  const top = scrollY;
  main().replaceChildren(...fresh.childNodes);
  main().dataset.screen = drawn.name;
  scrollTo(0, top);
  if (focused >= 0)
    /** @type {HTMLElement | undefined} */ (
      [...main().querySelectorAll("button, input, textarea, h1")][focused]
    )?.focus({ preventScroll: true });
  return true;
}
