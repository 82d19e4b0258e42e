// Elements without markup: text is always text, so no value of a record can become script (Trusted Types hold).

/** The content of an element: rows of rows are laid flat.
 * @typedef {Node | string | number | null | undefined | false | any[]} Child */
/** @typedef {Record<string, any>} Attributes */

/** @param {string} tag "div.class" @param {...(Child | Attributes)} parts attributes first, if any */
export function h(tag, ...parts) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  const attributes = parts[0]?.constructor === Object ? parts.shift() : {};
  for (const [key, value] of Object.entries(/** @type {Attributes} */ (attributes))) {
    if (value === false || value == null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element) /** @type {any} */ (element)[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...nodes(parts));
  return element;
}

/** @param {any[]} children @returns {(Node | string)[]} what there is of them, in one row */
export const nodes = (children) => children.flat(Infinity).filter((child) => child != null && child !== false);

/** The parts that there are, in one line. @param {any[]} parts @param {string} [between] */
export const joined = (parts, between = " · ") => parts.filter(Boolean).join(between);

/** "1 entry", "2 entries". @param {number} n @param {string} singular @param {string} [plural] */
export const count = (n, singular, plural = `${singular}s`) => `${n} ${n === 1 ? singular : plural}`;

/** @template T @param {T[]} items @param {(item: T) => Child} row */
export const list = (items, row) =>
  h(
    "ul.list",
    items.map((item) => h("li", row(item))),
  );

/** Under a heading of its own, or not at all.
 * @template T @param {string} title @param {T[]} items @param {(item: T) => Child} row */
export const section = (title, items, row) => (items.length ? [h("h2", title), list(items, row)] : null);

/** @param {[string, string][]} rows each its name and its value */
export const facts = (rows) =>
  rows.length > 0 &&
  h(
    "dl.facts",
    rows.map(([name, value]) => h("div", h("dt", name), h("dd", value))),
  );

/** A field to type in, of a short text unless `attributes` say otherwise.
 * @param {string} id @param {Attributes} [attributes] */
export const input = (id, attributes) =>
  /** @type {HTMLInputElement} */ (
    h("input", {
      id,
      maxLength: 64,
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: false,
      ...attributes,
    })
  );

/** @param {string} text @param {HTMLElement} field with its id */
export const labelled = (text, field) => h("div.field", h("label", { htmlFor: field.id }, text), field);

/** @param {string} title @param {Child} options @param {string} [grid] */
export const group = (title, options, grid = "div.grid") => h("fieldset", h("legend", title), h(grid, options));

/** @param {string} text */
export const alert = (text) => h("p.problem", { role: "alert" }, text);

/** The faults of an entry, in the service's words. @param {{message: string}[] | undefined} errors */
export const faultList = (errors) => errors?.length && h("div", { role: "alert" }, messages("ul.problems", errors));
/** @param {string} tag @param {{message: string}[]} said */
export const messages = (tag, said) =>
  h(
    tag,
    said.map(({ message }) => h("li", message)),
  );

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Tell a screen reader, and nobody else. @param {string} text */
export function announce(text) {
  byId("announcement").textContent = "";
  requestAnimationFrame(() => {
    byId("announcement").textContent = text;
  });
}

let noticeTimer = 0;
/** A line over the screen for a few seconds. @param {string} text @param {"good" | "bad"} [kind] */
export function notify(text, kind = "good") {
  const line = byId("notice");
  line.className = kind;
  line.textContent = text;
  line.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(
    () => {
      line.hidden = true;
    },
    kind === "good" ? 2_500 : 8_000,
  );
  announce(text);
}

/**
 * A button that does one thing at a time and says when it could not be kept.
 * @param {string} tag its classes
 * @param {string | Node | Child[]} text
 * @param {() => unknown} action
 * @param {Attributes} [attributes]
 */
export function button(tag, text, action, attributes) {
  let busy = false;
  const onclick = async () => {
    if (busy) return;
    busy = true;
    try {
      await action();
    } catch (error) {
      notify(whyNot(error), "bad");
    } finally {
      busy = false;
    }
  };
  return h(`button${tag}`, { type: "button", ...attributes, onclick }, text);
}

/** @param {any} error */
const whyNot = (error) =>
  /** @type {any} */ (error).why ??
  /** @type {any} */ (
    error.name === "QuotaExceededError"
      ? "Not saved: this phone is full. Free some space and try again."
      : "Not saved. Try again."
  );
