// A phone and its sergeant, written against the types made from the OpenAPI document: it compiles only where every kind
// of entry and every problem is typed, and runs against the demo.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Entry = components["schemas"]["EntryList"]["entries"][number];

const demo = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
const api = createClient<paths>({ baseUrl: demo.url });
const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

// every kind has a field of its own, and the compiler knows which
function own(entry: Entry): unknown {
  switch (entry.kind) {
    case "officer": return entry.referral_source;
    case "nurse": return entry.s136_justified;
    case "paramedic": return entry.news2;
    case "intent": return entry.intent?.power;
    case "outcome": return entry.disposal;
    case "detention": return entry.event;
    case "follow_up": return entry.referral;
    case "amendment": return entry.entry?.kind;
    case "withdrawal": return entry.withdraws;
    case "same_incident": return entry.other_incident_id;
    case "not_same_incident": return entry.other_incident_id;
    case "person_link": return entry.person_id;
    case "person_unlink": return entry.person_id;
    default: { const never: never = entry; return never; }
  }
}

const enrolment = await api.POST("/v1/enrolments", { body: { staff_id: demo.ids.staff.officer }, ...as(demo.tokens.sergeant) });
check(enrolment.data !== undefined, "a code");
const device = await api.POST("/v1/devices", { body: { code: enrolment.data.code, name: "TypeScript", installation: randomUUID() } });
check(device.data !== undefined, "a device");
const phone = as(device.data.token);

const id = randomUUID(), incident_id = randomUUID();
const contact: components["schemas"]["Officer"] = {
  kind: "officer", id, incident_id, captured_at: new Date().toISOString(), codes_version: 1, area: "luton_north", age: 30,
};
const put = { params: { path: { id } }, ...phone };
const stored = await api.PUT("/v1/entries/{id}", { ...put, body: contact });
check(stored.data?.status === "stored", "the entry is stored");
const conflict = await api.PUT("/v1/entries/{id}", { ...put, body: { ...contact, age: 31 } });
check(conflict.error?.code === "entry_conflict", "other content under the same id is a conflict");
check(conflict.error.errors?.[0]?.field === "age", "the author is told the field");

const synced = await api.POST("/v1/sync", { body: { cursor: null, sent_at: new Date().toISOString(), entries: [] }, ...phone });
check(synced.data?.incidents.some((each) => each.id === incident_id) ?? false, "the incident comes with a sync");
const seen = await api.GET("/v1/incidents/{id}", { params: { path: { id: incident_id } }, ...phone });
check(seen.data?.age_band !== undefined, "the incident is read");

const kinds = new Set<string>();
for (const { id } of (await api.GET("/v1/incidents", { params: { query: { limit: 200 } }, ...as(demo.tokens.sergeant) })).data?.incidents ?? []) {
  const listed = await api.GET("/v1/incidents/{id}/entries", { params: { path: { id } }, ...as(demo.tokens.sergeant) });
  for (const entry of listed.data?.entries ?? []) {
    kinds.add(entry.kind);
    check(typeof entry.seq === "number", "an entry has its place");
    own(entry);
  }
}
check(kinds.size >= 7, `kinds of entries in the demo: ${[...kinds].join(" ")}`);
