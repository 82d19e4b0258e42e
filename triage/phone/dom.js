// Elements without markup: text is always text, so no value of a record can become script (Trusted Types hold).

/**
 * What may stand in an element: rows of rows are laid flat.
 * @typedef {Node | string | number | null | undefined | false | any[]} Child
 */

/** @param {string} tag "div.class" @param {Record<string, any> | null} [attributes] @param {...Child} children */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === false || value == null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list") /** @type {any} */ (element)[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

/** @param {Child[]} children @returns {(Node | string)[]} what there is of them, in one row */
export const nodes = (children) =>
  /** @type {any[]} */ (children)
    .flat(Infinity)
    .filter((child) => child != null && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : child));

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Tell a screen reader, and nobody else. @param {string} text */
export function announce(text) {
  byId("announcement").textContent = "";
  requestAnimationFrame(() => {
    byId("announcement").textContent = text;
  });
}

/** A line over the screen for a few seconds. @param {string} text @param {"good" | "bad"} [kind] */
export function notify(text, kind = "good") {
  const line = byId("notice");
  line.className = kind;
  line.textContent = text;
  line.hidden = false;
  clearTimeout(Number(line.dataset.timer));
  line.dataset.timer = String(
    setTimeout(
      () => {
        line.hidden = true;
      },
      kind === "good" ? 2_500 : 8_000,
    ),
  );
  announce(text);
}

/** What is wrong with an entry, in the service's words. @param {{message: string}[] | undefined} errors */
export const faultList = (errors) =>
  errors?.length
    ? h(
        "div",
        { role: "alert" },
        h(
          "ul.problems",
          null,
          errors.map(({ message }) => h("li", null, message)),
        ),
      )
    : null;

/**
 * A button that does one thing at a time and says when it could not be kept.
 * @param {string} tag
 * @param {string | Node | Child[]} text
 * @param {() => unknown} action
 * @param {Record<string, any>} [attributes]
 */
export function button(tag, text, action, attributes = {}) {
  const element = /** @type {HTMLButtonElement} */ (h(`button${tag}`, { type: "button", ...attributes }, text));
  let busy = false;
  element.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    try {
      await action();
    } catch (error) {
      notify(whyNot(error), "bad");
    } finally {
      busy = false;
    }
  });
  return element;
}

/** @param {unknown} error */
function whyNot(error) {
  const { name, why } = /** @type {any} */ (error);
  if (why) return why;
  return name === "QuotaExceededError"
    ? "Not saved: this phone is full. Free some space and try again."
    : "Not saved. Try again.";
}
