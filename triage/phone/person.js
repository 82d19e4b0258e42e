// Who it is: an NHS number (health) or a police reference (police). Sent at once and never kept on the phone; what
// comes back is a number that means nothing elsewhere.
import { button, h } from "./dom.js";
import { envelope } from "./entries.js";
import { title } from "./incident.js";
import { go } from "./screen.js";
import { account, isPolice } from "./state.js";
import { record } from "./sync.js";
import { answerOf, call } from "./wire.js";

/** @param {string} incident */
export function drawPerson(incident) {
  const words = isPolice() ? "Police reference" : "NHS number",
    field = isPolice() ? "police_ref" : "nhs_number";
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      id: "identifier",
      maxLength: 64,
      autocomplete: "off",
      spellcheck: false,
      inputMode: isPolice() ? "text" : "numeric",
      autocapitalize: "characters",
    })
  );
  const send = async () => {
    const value = isPolice() ? input.value.trim() : input.value.replace(/\s/g, "");
    if (!value) throw { why: `Type the ${words} first` };
    const person = await register({ [field]: value });
    input.value = "";
    await record(account(), [{ ...envelope("person_link", incident), person_id: person, reason: "identified" }]);
    await go("incident", incident);
  };
  return [
    title(words, "incident", incident),
    h("p", null, "It is sent at once and is not kept on this phone. This needs a connection."),
    h("div.field", null, h("label", { htmlFor: "identifier" }, words), input),
    button(".primary.big", "Send", send),
  ];
}

/** @param {Record<string, string>} identifier @returns {Promise<string>} */
async function register(identifier) {
  const response = await call("/v1/people", identifier, account().token);
  const answer = await answerOf(response);
  if (response.status === 201 || response.status === 200) return answer.person_id;
  throw {
    why:
      answer.errors?.[0]?.message ??
      (response.status === 429
        ? "Too many for now. Try again later."
        : "The service did not take it. Try again later."),
  };
}
