import assert from "node:assert/strict";
import { test } from "node:test";
import * as vault from "../../triage/phone/vault.js";

test("what was sealed opens with its key, in its place, and nowhere else", async () => {
  const key = await vault.sealedIn(await vault.createDataKey()),
    other = await vault.sealedIn(await vault.createDataKey());
  const sealed = await vault.seal(key, { note: "calm" }, "drafts/1");
  assert.deepEqual(await vault.open(key, sealed, "drafts/1"), { note: "calm" });
  await assert.rejects(vault.open(key, sealed, "drafts/2"), { name: "OperationError" });
  await assert.rejects(vault.open(other, sealed, "drafts/1"), { name: "OperationError" });
});
test("the same value never looks the same twice", async () => {
  const key = await vault.sealedIn(await vault.createDataKey());
  const [a, b] = await Promise.all([vault.seal(key, 1, "x"), vault.seal(key, 1, "x")]);
  assert.notDeepEqual(a.sealed, b.sealed);
});
test("a PIN opens what it wrapped; another does not", async () => {
  const fresh = await vault.createDataKey(),
    wrapped = await vault.wrapWithPin(fresh, "135790");
  const sealed = await vault.seal(fresh, "kept", "x");
  assert.equal(await vault.open(await vault.unwrapWithPin(wrapped, "135790"), sealed, "x"), "kept");
  await assert.rejects(vault.unwrapWithPin(wrapped, "135791"), { name: "OperationError" });
  assert.ok(wrapped.iterations >= 600_000);
});
test("the key that is worked with cannot be taken out", async () => {
  assert.equal((await vault.sealedIn(await vault.createDataKey())).extractable, false);
  const wrapped = await vault.wrapWithPin(await vault.createDataKey(), "135790");
  assert.equal((await vault.unwrapWithPin(wrapped, "135790")).extractable, false);
});
test("ids are of version 7 and in order of time", () => {
  const ids = [1, 2 ** 32, 2 ** 41].map((time) => vault.uuid7(time));
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(parseInt(ids[2].replaceAll("-", "").slice(0, 12), 16), 2 ** 41);
});
