import assert from "node:assert/strict";
import { test } from "node:test";
import { qrCode } from "../../triage/phone/qr.js";

test("the version grows with the text, up to 84 bytes", () => {
  assert.deepEqual(
    [1, 14, 15, 26, 42, 62, 84].map((length) => qrCode("x".repeat(length)).length),
    [21, 21, 25, 25, 29, 33, 37],
  );
  assert.throws(() => qrCode("x".repeat(85)), RangeError);
  assert.throws(() => qrCode("é".repeat(43)), RangeError);
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
