// Six digits, by thumb or keyboard.
import { h, notify } from "./dom.js";
import { count } from "./words.js";

const DIGITS = 6;

/** @param {string} title @param {string} hint @param {(pin: string) => unknown} done @param {string} problem */
export function keypad(title, hint, done, problem) {
  let pin = "",
    busy = false;
  const dots = h("p.dots", { "aria-hidden": "true" }),
    said = h("p.hidden", { role: "status" });
  const show = () => {
    dots.replaceChildren(...Array.from({ length: DIGITS }, (_, index) => h(index < pin.length ? "i.full" : "i", null)));
    said.textContent = pin ? `${count(pin.length, "digit")} of ${DIGITS}` : "";
  };
  const press = async (/** @type {string} */ key) => {
    if (busy) return;
    pin = key === "Delete" ? pin.slice(0, -1) : pin + key;
    show();
    if (pin.length < DIGITS) return;
    busy = true;
    await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
    try {
      await done(pin);
    } catch {
      notify("Not saved. Try again.", "bad");
      pin = "";
      show();
    }
    busy = false;
  };
  show();
  typed = press;
  const key = (/** @type {string} */ text) => h("button", { type: "button", onclick: () => press(text) }, text);
  return [
    h("h1", null, title),
    h("p", null, hint),
    dots,
    said,
    problem ? h("p.problem", { role: "alert" }, problem) : null,
    h(
      "div.keypad",
      null,
      ..."123456789".split("").map(key),
      h("span"),
      key("0"),
      h("button", { type: "button", "aria-label": "Delete", onclick: () => press("Delete") }, "⌫"),
    ),
  ];
}
/** @type {(key: string) => void} */
let typed = () => {};

addEventListener("keydown", (event) => {
  if (!document.querySelector(".keypad")) return;
  if (/^\d$/.test(event.key)) typed(event.key);
  if (event.key === "Backspace") typed("Delete");
});
