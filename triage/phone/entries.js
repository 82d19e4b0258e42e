// Making entries: what every one of them carries without typing.
import * as clock from "./clock.js";
import { account, session } from "./state.js";
import { uuid7 } from "./vault.js";

const FORM_VERSION = 1;

/** @param {string} kind @param {string} incident @returns {Record<string, any>} */
export function envelope(kind, incident) {
  const { car, training } = account().profile;
  return {
    id: uuid7(),
    kind,
    incident_id: incident,
    captured_at: clock.phoneTime(),
    codes_version: session.codes.version,
    form_version: FORM_VERSION,
    ...(car ? { car } : {}),
    ...(training ? { test: true } : {}),
  };
}

/**
 * @param {import("./state.js").OwnEntry} own the entry that is corrected
 * @param {any} entry the whole replacement
 * @param {string} reason
 * @param {string} [id]
 */
export const amendment = (own, entry, reason, id = uuid7()) => ({
  ...envelope("amendment", own.incident),
  id,
  amends: own.id,
  reason,
  entry,
});

/** @param {import("./state.js").OwnEntry} own @param {string} reason */
export const withdrawal = (own, reason) => ({ ...envelope("withdrawal", own.incident), withdraws: own.id, reason });
