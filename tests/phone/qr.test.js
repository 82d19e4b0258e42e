import assert from "node:assert/strict";
import { test } from "node:test";
import { qrCode } from "../../triage/phone/qr.js";

test("it is of version 4, up to 62 bytes", () => {
  assert.deepEqual(
    [1, 43, 62].map((length) => qrCode("x".repeat(length)).length),
    [33, 33, 33],
  );
  assert.throws(() => qrCode("x".repeat(63)), RangeError);
  assert.throws(() => qrCode("é".repeat(32)), RangeError);
});
test("three corners have a finder, and timing runs between them", () => {
  const modules = qrCode("triage"),
    size = modules.length;
  for (const [top, left] of [
    [0, 0],
    [0, size - 7],
    [size - 7, 0],
  ]) {
    assert.deepEqual(modules[top].slice(left, left + 7), Array(7).fill(true));
    assert.equal(modules[top + 3][left + 3], true);
  }
  assert.deepEqual(
    modules[6].slice(8, size - 8),
    Array.from({ length: size - 16 }, (_, index) => index % 2 === 0),
  );
});
