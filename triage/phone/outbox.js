// Sent and unsent: every entry of one's own on this phone, what became of it, and what to do.
import { button, h } from "./dom.js";
import { entryRow, title } from "./incident.js";
import { go } from "./screen.js";
import { account, load, session } from "./state.js";
import { tryNow } from "./sync.js";

const ORDER = ["refused", "waiting", "quarantined", "received"];

export async function drawOutbox() {
  await load();
  const { status } = account();
  const own = session.entries.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.id.localeCompare(a.id),
  );
  return [
    title("Sent and unsent", "home"),
    status.phase === "stopped"
      ? [
          h("p.problem", { role: "alert" }, `${status.why}. Nothing is lost.`),
          button("", "Enter a new code", () => go("enrol")),
        ]
      : null,
    button(".primary.big", "Try now", tryNow),
    own.length
      ? h(
          "ul.list",
          null,
          own.map((entry) => h("li", null, entryRow(entry))),
        )
      : h("p.empty", null, "Nothing was recorded on this phone in the last 14 days."),
  ];
}
