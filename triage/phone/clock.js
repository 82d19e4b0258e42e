// Time. Records hold instants; everything relative is computed here, on the service's time as well as it is known.
import { LAW } from "./law.js";

const MINUTE = 60_000,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;
let offset = 0,
  zone = "Europe/London";

/** @param {string} serverTime @param {number} sent @param {number} received both by the phone's clock, in ms */
export const measureOffset = (serverTime, sent, received) => Date.parse(serverTime) - (sent + received) / 2;
/** The service's clock minus the phone's, in ms. */
export const getOffset = () => offset;
/** @param {number} value */
export const setOffset = (value) => {
  offset = value;
};
/** The team's time zone. @param {string} name */
export const setZone = (name) => {
  zone = name;
};
/** The service's time, in ms. */
export const now = () => Date.now() + offset;

/** "2026-11-26" */
export const today = () => new Date(now()).toISOString().slice(0, 10);

/**
 * An instant as the phone's own clock shows it, which is what entries carry: the service corrects them by the skew
 * that it measures.
 * @param {number} [instant] on the service's clock, in ms
 */
export const phoneTime = (instant = now()) => new Date(instant - offset).toISOString().replace("Z", "+00:00");
/** An instant that the phone's clock showed, on the service's clock, in ms. @param {string} time */
export const serviceTime = (time) => Date.parse(time) + offset;

/** @param {number} instant @param {Intl.DateTimeFormatOptions} options */
const format = (instant, options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }).format(instant);
/** @param {number | string | null | undefined} instant in the team's time zone: 03:14 */
export const clockTime = (instant) =>
  instant == null
    ? "–"
    : format(typeof instant === "string" ? Date.parse(instant) : instant, {
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
      });

/** 03:14 today, else with its day: "Tue 24 Nov, 03:14". @param {string | number} instant @param {number} at */
export function dayTime(instant, at) {
  const moment = typeof instant === "string" ? Date.parse(instant) : instant;
  /** @type {Intl.DateTimeFormatOptions} */
  const day = { weekday: "short", day: "numeric", month: "short" };
  return format(moment, day) === format(at, day) ? clockTime(moment) : `${format(moment, day)}, ${clockTime(moment)}`;
}

/**
 * The last instant at which clocks in the team's zone showed this, in ms.
 * @param {string} hoursMinutes "03:14"
 * @param {number} at
 */
export function lastTime(hoursMinutes, at) {
  for (let instant = Math.floor(at / MINUTE) * MINUTE; instant > at - 25 * HOUR; instant -= MINUTE) {
    if (clockTime(instant) === hoursMinutes) return instant;
  }
  // an hour that the change to summer time skipped
  return null;
}

/** "3 h 10", "25 min" @param {number} ms */
export function duration(ms) {
  const minutes = Math.floor(Math.abs(ms) / MINUTE);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

/** How long ago, in words. @param {number} ms */
export function age(ms) {
  if (ms < 2 * MINUTE) return "just now";
  if (ms < DAY) return `${duration(ms)} ago`;
  const days = Math.floor(ms / DAY);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

/**
 * @typedef
 * {{level: "run" | "warn" | "over", text: string, next: string[], left: number | null, fromEntry: string | null}}
 * ClockText `left` in ms, null where no arrival is known.
 */

/** The words of the screen for a detention that goes on; null where none does. @param {any} detention @param {number} at
 * @param {{station?: boolean, child?: boolean}} [where] @returns {ClockText | null} */
export function detentionClock(detention, at, where = {}) {
  if (!detention || detention.ended_at) return null;
  const station = where.station ? [where.child ? LAW.stationChild : LAW.stationAdult] : [];
  if (!detention.expires_at) {
    const since = detention.began_at ? `Held ${duration(at - Date.parse(detention.began_at))}` : "Held";
    return {
      level: "warn",
      text: `${since}, arrival not recorded`,
      next: [LAW.recordArrival, ...station],
      left: null,
      fromEntry: null,
    };
  }
  const expiry = Date.parse(detention.expires_at),
    left = expiry - at,
    until = dayTime(expiry, at);
  const fromEntry =
    detention.expires_if_entered_counts && detention.expires_if_entered_counts !== detention.expires_at
      ? `If only entry counts: until ${dayTime(detention.expires_if_entered_counts, at)}`
      : null;
  if (left < 0)
    return {
      level: "over",
      text: `${duration(left)} past ${until}`,
      next: [LAW.past, ...station],
      left,
      fromEntry,
    };
  const text = `${duration(left)} left, to ${until}`;
  if (left >= 4 * HOUR) {
    return {
      level: "run",
      text,
      next: [detention.entered_at ? LAW.assess : LAW.recordEntry, ...station],
      left,
      fromEntry,
    };
  }
  const next = [detention.extended_minutes ? LAW.extended : LAW.extend];
  if (where.station && !detention.extended_minutes) next.push(LAW.extendAtStation);
  return { level: "warn", text, next: [...next, ...station], left, fromEntry };
}

/**
 * The detention as this phone knows it: what the service told, and what waits here to be sent. An expiry that the
 * service worked out stands; without one it is 24 hours from the first arrival or decision to keep among the unsent
 * entries.
 * @param {any} detention
 * @param {any[]} unsent entries of this incident that the service has not received
 */
export function withUnsent(detention, unsent) {
  const running = detention && !detention.ended_at ? detention : null;
  const [ended] = timesOf(unsent, (entry) => entry.event === "ended");
  if (running?.expires_at) return ended ? { ...running, ended_at: ended } : running;
  const arrivals = timesOf(unsent, (entry) => entry.event === "arrived_site" || entry.event === "entered");
  const kept = timesOf(unsent, (entry) => entry.event === "kept_from" || /^s13[56]_kept$/.test(entry.disposal));
  const used = timesOf(unsent, (entry) => entry.event === "began" || /^s13[56]_removed$/.test(entry.disposal));
  const [began] = [...arrivals, ...kept, ...used, ...(running?.began_at ? [running.began_at] : [])].sort();
  if (!began) return detention;
  const [start] = [...arrivals, ...kept].sort();
  return {
    power: "s136",
    extended_minutes: 0,
    ...running,
    began_at: began,
    ended_at: ended ?? null,
    arrived_at: arrivals[0] ?? null,
    expires_at: start ? new Date(Date.parse(start) + DAY).toISOString() : null,
    expires_if_entered_counts: null,
  };
}

/**
 * When such entries say it was, on the service's clock, earliest first.
 * @param {any[]} entries
 * @param {(entry: any) => boolean} matches
 */
const timesOf = (entries, matches) =>
  entries
    .filter(matches)
    .map((entry) => new Date(serviceTime(entry.at ?? entry.decided_at ?? entry.captured_at)).toISOString())
    .sort();
