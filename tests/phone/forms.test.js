import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FORMS,
  answersOf,
  applicable,
  choices,
  content,
  known,
  nextEvents,
  replacement,
} from "../../triage/phone/forms.js";

const code = (name, more) => ({ code: name, label: name, valid_from: "2017-12-11", valid_to: null, ...more });
const fields = (form, answers, skip) =>
  applicable(FORMS[form], answers, skip)
    .filter(({ more }) => !more)
    .map(({ field }) => field);

test("the nurse judges before she is asked or told anything else", () => {
  assert.deepEqual(fields("nurse", {}).slice(0, 2), ["s136_justified", "told_intent"]);
});
test("whom the officer consults is asked before offence and force", () => {
  const asked = fields("officer", {});
  assert.ok(asked.indexOf("consulted.role") < Math.min(asked.indexOf("offence"), asked.indexOf("force_type")));
});
test("in every form single choices come before multiple ones", () => {
  for (const [name, form] of Object.entries(FORMS)) {
    const main = form.filter(({ more }) => !more),
      first = main.findIndex(({ many }) => many);
    if (first >= 0)
      assert.ok(
        main.slice(first).every(({ many }) => many),
        name,
      );
  }
});
test("a stand-down asks area and source, and nothing about anybody", () => {
  assert.deepEqual(fields("stand_down", {}), ["disposal", "area", "referral_source"]);
});
test("a condition brings its question, and its answer goes with it", () => {
  assert.ok(!fields("officer", {}).includes("someone_lives_there"));
  assert.ok(fields("officer", { location_type: "hotel_hostel_room" }).includes("someone_lives_there"));
  assert.ok(fields("officer", { "consulted.role": "" }).includes("not_consulted_reason"));
  assert.ok(!fields("officer", { "consulted.role": "nurse" }).includes("not_consulted_reason"));
  assert.deepEqual(content(FORMS.officer, { location_type: "street_or_park", someone_lives_there: true }), {
    location_type: "street_or_park",
  });
});
test("a condition also reads what the incident already says", () => {
  assert.ok(fields("nurse", {}, { age_band: "unknown" }).includes("could_be_under_18"));
});
test("what the incident says is not asked again; a coded missing value is", () => {
  const find = (list, name) => code(name, { missing: name === "unknown" });
  assert.deepEqual(known({ area: "bedford", sex: "unknown", ethnicity: null, note: "x" }, find), { area: "bedford" });
  assert.ok(!fields("nurse", {}, { area: "bedford" }).includes("area"));
});
test("only what was answered is sent, and false is an answer", () => {
  assert.deepEqual(content(FORMS.nurse, { told_intent: false, presenting: [], note: "", advice: undefined }), {
    told_intent: false,
  });
});
test("fields inside others come together, and come apart again", () => {
  const answers = { "consulted.role": "nurse", "consulted.at": "2026-11-26T03:00:00+00:00", offence: "none" };
  const entry = content(FORMS.officer, answers);
  assert.deepEqual(entry.consulted, { role: "nurse", at: "2026-11-26T03:00:00+00:00" });
  assert.deepEqual(answersOf(FORMS.officer, entry), answers);
});
test("that nobody was consulted survives a correction", () => {
  assert.equal(answersOf(FORMS.officer, { not_consulted_reason: "no_signal" })["consulted.role"], "");
});
test("a correction replaces what the form asks and keeps all else", () => {
  const original = {
    id: "x",
    incident_id: "y",
    captured_at: "z",
    codes_version: 2,
    kind: "officer",
    area: "bedford",
    sex: "male",
    invented_later: 1,
  };
  assert.deepEqual(replacement(FORMS.officer, original, { area: "luton_west" }), {
    kind: "officer",
    invented_later: 1,
    area: "luton_west",
  });
});
test("health is never offered a power that only a constable holds", () => {
  const lists = {
    disposal: ["s136_removed", "s136_kept", "s135_removed", "s135_kept", "s135_requested", "signposted"].map((name) =>
      code(name),
    ),
  };
  const offered = (profession) =>
    choices({ lists }, FORMS.outcome[0], profession, "2026-11-26").map((choice) => choice.code);
  assert.deepEqual(offered("nurse"), ["s135_requested", "signposted"]);
  assert.deepEqual(offered("paramedic"), offered("nurse"));
  assert.equal(offered("police").length, 6);
});
test("a retired code is not offered, nor one of the future; one that this app never heard of is", () => {
  const lists = {
    sex: [code("old", { valid_to: "2026-03-31" }), code("young", { valid_from: "2027-01-01" }), code("unheard_of")],
  };
  assert.deepEqual(
    choices({ lists }, { field: "sex", ask: "", list: "sex" }, "police", "2026-11-26").map((choice) => choice.code),
    ["unheard_of"],
  );
});
test("what can come next in a detention stands first", () => {
  assert.equal(nextEvents(null)[0], "began");
  assert.equal(nextEvents({ began_at: "x" })[0], "arrived_site");
  assert.equal(nextEvents({ arrived_at: "x" })[0], "entered");
  assert.equal(nextEvents({ arrived_at: "x", entered_at: "x" })[0], "handover_complete");
  assert.equal(nextEvents({ arrived_at: "x", ended_at: "x" })[0], "began");
});
