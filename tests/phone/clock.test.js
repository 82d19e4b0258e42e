import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as clock from "../../triage/phone/clock.js";
import { LAW } from "../../triage/phone/law.js";

const at = (text) => Date.parse(text);
const NOON = at("2026-11-26T12:00:00Z");
const detention = (more) => ({
  power: "s136",
  began_at: "2026-11-26T08:50:00Z",
  arrived_at: null,
  entered_at: null,
  ended_at: null,
  expires_at: null,
  expires_if_entered_counts: null,
  extended_minutes: 0,
  ...more,
});
const told = (more, where) => clock.detentionClock(detention(more), NOON, where);

test("no detention, or one that ended, has no clock", () => {
  assert.equal(clock.detentionClock(null, NOON), null);
  assert.equal(told({ ended_at: "2026-11-26T10:00:00Z", expires_at: "2026-11-27T10:00:00Z" }), null);
});
test("without an arrival it says how long, and to record it", () => {
  const { level, text, next, left } = told({});
  assert.deepEqual([level, text, next, left], ["warn", "Held 3 h 10, arrival not recorded", [LAW.recordArrival], null]);
});
test("it runs, with the day where that is another one", () => {
  const { level, text, next } = told({ expires_at: "2026-11-27T09:30:00Z", arrived_at: "2026-11-26T09:30:00Z" });
  assert.deepEqual([level, text, next], ["run", "21 h 30 left, to Fri 27 Nov, 09:30", [LAW.recordEntry]]);
});
test("under four hours it says who may extend", () => {
  assert.deepEqual(told({ expires_at: "2026-11-26T15:59:00Z" }).next, [LAW.extend]);
  assert.deepEqual(told({ expires_at: "2026-11-26T16:00:00Z", entered_at: "2026-11-25T16:00:00Z" }).next, [LAW.assess]);
});
test("at a police station the superintendent, the conditions and the child are named", () => {
  const soon = { expires_at: "2026-11-26T13:00:00Z" };
  assert.deepEqual(told(soon, { station: true }).next, [LAW.extend, LAW.extendAtStation, LAW.stationAdult]);
  assert.deepEqual(told(soon, { station: true, child: true }).next.at(-1), LAW.stationChild);
});
test("an extension is not offered twice", () => {
  assert.deepEqual(told({ expires_at: "2026-11-26T13:00:00Z", extended_minutes: 360 }).next, [LAW.extended]);
});
test("past the time it says to check the power", () => {
  const { level, text, next } = told({ expires_at: "2026-11-26T09:50:00Z" });
  assert.deepEqual([level, text, next], ["over", "2 h 10 past 09:50", [LAW.past]]);
});
test("both expiries are shown where they differ", () => {
  assert.equal(
    told({ expires_at: "2026-11-26T20:00:00Z", expires_if_entered_counts: "2026-11-26T22:00:00Z" }).fromEntry,
    "If only entry counts: until 22:00",
  );
  assert.equal(
    told({ expires_at: "2026-11-26T20:00:00Z", expires_if_entered_counts: "2026-11-26T20:00:00Z" }).fromEntry,
    null,
  );
});
test("every sentence about the law stands under its source", () => {
  const text = readFileSync(new URL("../../triage/phone/law.js", import.meta.url), "utf8");
  const sourced = [...text.matchAll(/^  \/\/ s13[56][^\n]*\n  (\w+):\s+"/gm)].map(([, name]) => name);
  assert.deepEqual(sourced, Object.keys(LAW));
});

test("an arrival that was not sent yet starts the clock; an earlier one counts", () => {
  const arrived = (time) => ({ kind: "detention", event: "arrived_site", at: time });
  const shown = clock.withUnsent(null, [arrived("2026-11-26T11:00:00Z"), arrived("2026-11-26T10:00:00Z")]);
  assert.equal(shown.expires_at, "2026-11-27T10:00:00.000Z");
});
test("a use that was not sent yet has a clock that asks for the arrival", () => {
  const shown = clock.withUnsent(null, [
    { kind: "outcome", disposal: "s136_removed", decided_at: "2026-11-26T10:00:00Z" },
  ]);
  assert.equal(clock.detentionClock(shown, NOON).text, "Held 2 h 00, arrival not recorded");
  assert.equal(
    clock.withUnsent(null, [{ kind: "outcome", disposal: "s136_kept", decided_at: "2026-11-26T10:00:00Z" }]).expires_at,
    "2026-11-27T10:00:00.000Z",
  );
});
test("what the service worked out stands; an end that was not sent yet ends it here", () => {
  const running = detention({ expires_at: "2026-11-27T03:00:00Z", extended_minutes: 360 });
  assert.equal(
    clock.withUnsent(running, [{ event: "entered", at: "2026-11-26T09:00:00Z" }]).expires_at,
    running.expires_at,
  );
  assert.equal(
    clock.detentionClock(clock.withUnsent(running, [{ event: "ended", at: "2026-11-26T11:00:00Z" }]), NOON),
    null,
  );
});
test("after an end nothing runs until somebody is held again", () => {
  const ended = detention({ ended_at: "2026-11-26T10:00:00Z" });
  assert.equal(clock.withUnsent(ended, [{ event: "health_check", at: "2026-11-26T11:00:00Z" }]), ended);
});

test("durations and ages are said as people say them", () => {
  assert.deepEqual(
    [0, 59, 60, 190].map((minutes) => clock.duration(minutes * 60_000)),
    ["0 min", "59 min", "1 h 00", "3 h 10"],
  );
  assert.deepEqual(
    [0, 5, 24 * 60, 49 * 60].map((minutes) => clock.age(minutes * 60_000)),
    ["just now", "5 min ago", "yesterday", "2 days ago"],
  );
});
test("a typed time is the last one that clocks showed", () => {
  assert.equal(clock.lastTime("11:59", NOON), at("2026-11-26T11:59:00Z"));
  assert.equal(clock.lastTime("12:01", NOON), at("2026-11-25T12:01:00Z"));
});
test("in summer time, and in the hour that comes twice and the one that does not come", () => {
  assert.equal(clock.lastTime("13:00", at("2026-07-01T12:30:00Z")), at("2026-07-01T12:00:00Z"));
  assert.equal(clock.lastTime("01:30", at("2026-10-25T03:00:00Z")), at("2026-10-25T01:30:00Z"));
  assert.equal(clock.lastTime("01:30", at("2026-03-29T03:00:00Z")), null);
});
test("entries carry the phone's time; what is shown is the service's", () => {
  clock.setOffset(-3_600_000); // the phone is an hour fast
  try {
    assert.equal(clock.phoneTime(NOON), "2026-11-26T13:00:00.000+00:00");
    assert.equal(clock.serviceTime("2026-11-26T13:00:00Z"), NOON);
    assert.ok(Math.abs(clock.now() - (Date.now() - 3_600_000)) < 1_000);
  } finally {
    clock.setOffset(0);
  }
});
test("the offset is measured against the middle of the exchange", () => {
  assert.equal(clock.measureOffset("2026-11-26T12:00:00Z", NOON + 1_000, NOON + 3_000), -2_000);
});
