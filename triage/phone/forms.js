// The forms: which questions, in which order, on which condition. What may be answered comes from GET /v1/codes, so
// that a new code needs no new app. A question is a field of the entry, with dots where it lies inside another;
// single choices stand before multiple ones, which do not move on by themselves.
import { LAW } from "./law.js";
import { ENVELOPE } from "./state.js";

/**
 * `list`: the list of codes, where it is not called as the field; `grouped`: by the groups of the list; `more`: asked
 * only of who wants to say more.
 * @typedef {{field: string, ask: string, list?: string, yes?: boolean, many?: number, grouped?: boolean,
 * text?: number, number?: [number, number], when?: boolean, date?: boolean,
 * nobody?: string, stamp?: string, more?: boolean, wide?: boolean, required?: boolean,
 * hint?: string, minutes?: number[], options?: [string, string][], groups?: [string,
 * string[]][], if?: (answers: Answers) => boolean}} Question
 */
/** Answers by field. @typedef {Record<string, any>} Answers */

/** @param {string} field @param {string} ask @param {Partial<Question>} [how] @returns {Question} */
const code = (field, ask, how) => ({ field, ask, ...how });
/** @param {string} field @param {string} ask @param {Partial<Question>} [how] */
const yes = (field, ask, how) => code(field, ask, { yes: true, ...how });
/** @param {string} field @param {string} ask @param {Partial<Question>} [how] */
const time = (field, ask, how) => code(field, ask, { when: true, ...how });

const wide = true,
  more = true,
  required = true;
/** A condition on one answer.
 * @param {string} field @param {...string} codes @returns {(answers: Answers) => boolean} */
const is =
  (field, ...codes) =>
  (answers) =>
    codes.includes(answers[field]);
const isChild = is("age_band", "under_11", "11_15", "16_17"),
  isAtStation = is("place_of_safety", "police_station"),
  isExtended = is("event", "extended"),
  isPoliceVehicle = is("transport", "police_vehicle");
const REFERRAL = ["offered", "accepted", "kept", "missed", "declined_by_service"];

/** @type {Question[]} */
const WHERE_AND_WHO = [
  code("area", "Area"),
  code("location_type", "Kind of place"),
  yes("someone_lives_there", "Does somebody live in that room?", {
    if: is("location_type", "hotel_hostel_room"),
    hint: LAW.notInAHome,
  }),
  code("contact_mode", "Kind of contact", { wide }),
  code("referral_source", "Who asked for help"),
  code("age_band", "Age", { wide }),
  yes("could_be_under_18", "Could they be under 18?", { if: is("age_band", "unknown") }),
  code("sex", "Sex"),
  code("ethnicity", "Ethnicity, as they say it", { grouped: true }),
];
const NOW = [code("legal_status", "Legal status now"), code("immediate_danger", "Immediate danger", { wide })];
const PRESENTING = code("presenting", "What is happening", { many: 3, hint: "up to 3, the main one first" });
const SAY_MORE = [
  code("log_ref", "Log number", { text: 64, more, hint: "police log or ambulance CAD" }),
  code("force_code", "Which force", { text: 64, more, if: is("area", "out_of_county") }),
  time("occurred_at", "When it happened", { more }),
  time("arrived_at", "When you arrived", { more }),
  time("left_at", "When you left", { more }),
  code("age", "Age in years", { number: [0, 130], more }),
  yes("age_estimated", "Is the age a guess?", { more }),
  yes("age_verified", "Was the age checked with somebody or something?", { more }),
  yes("interpreter_needed", "Interpreter needed?", { more }),
  code("disability", "Disability, as they say it", { more }),
];
const NOTE = code("note", "Note", { text: 280, more, hint: "no names" });

/** @type {Record<string, Question[]>} */
export const FORMS = {
  officer: [
    ...WHERE_AND_WHO,
    ...NOW,
    code("consulted.role", "Who are you consulting?", {
      list: "consulted_role",
      nobody: "Nobody",
      stamp: "consulted.at",
      hint: LAW.consult,
    }),
    code("not_consulted_reason", "Why nobody", { if: is("consulted.role", "") }),
    code("offence", "Offence", { wide }),
    code("force_type", "Force used", { wide }),
    PRESENTING,
    code("arrest_necessity", "Why an arrest would be necessary", {
      many: 6,
      if: (a) => is("legal_status", "arrested")(a) || is("offence", "alleged_minor", "alleged_serious")(a),
    }),
    ...SAY_MORE,
    time("consulted.at", "When you consulted", { more, if: (a) => !!a["consulted.role"] }),
    yes("domestic_abuse", "Domestic abuse?", { more }),
    code("referrals", "Referred to", { list: "police_referral", many: 6, more }),
    NOTE,
  ],
  nurse: [
    code("s136_justified", "Would Section 136 be justified now?", { wide, hint: "your own judgement" }),
    yes("told_intent", "Has anybody told you what the officer means to do?"),
    code("assessment", "Kind of assessment"),
    code("advice", "Your advice", { stamp: "advice_given_at" }),
    code("known_to_services", "Known to services"),
    code("crisis_plan", "Crisis plan"),
    code("safety_plan", "Safety plan"),
    ...WHERE_AND_WHO,
    ...NOW,
    PRESENTING,
    code("referrals", "Referred to", { list: "health_referral", many: 12 }),
    ...SAY_MORE,
    time("advice_given_at", "When you advised", { more, if: (a) => !!a.advice }),
    yes("looked_after", "Looked after by the local authority?", { more, if: isChild }),
    yes("parent_or_carer_informed", "Parent or carer informed?", { more, if: isChild }),
    code("follow_up_owner", "Who follows up", { list: "health_referral", more }),
    code("follow_up_due", "Follow-up due", { date: true, more }),
    NOTE,
  ],
  paramedic: [
    code("physical_need", "Physical need"),
    code("initial_plan", "First plan"),
    code("ed_reason", "Why the emergency department", {
      if: (a) => is("initial_plan", "ed")(a) || is("physical_need", "ed_needed", "ed_immediate")(a),
    }),
    code("conveyed", "Conveyed"),
    code("capacity_to_decide_care", "Capacity to decide on care"),
    ...WHERE_AND_WHO,
    ...NOW,
    PRESENTING,
    ...SAY_MORE,
    code("news2", "NEWS2 score", { number: [0, 20], more }),
    NOTE,
  ],
  outcome: [
    code("disposal", "What was decided", {
      required,
      groups: [
        [
          "Stays in the community",
          [
            "community_follow_up",
            "signposted",
            "carer_or_home",
            "no_mental_health_need",
            "child_care_pathway",
            "mh_unit_voluntary",
          ],
        ],
        ["Emergency department", ["ed_voluntary", "ed_capacity_act"]],
        ["Section 136 or 135", ["s136_removed", "s136_kept", "s135_removed", "s135_kept", "s135_requested"]],
        [
          "Police",
          [
            "arrest_custody",
            "arrest_street_bail",
            "dearrested",
            "voluntary_interview",
            "out_of_court",
            "police_protection_s46",
            "returned_under_act",
          ],
        ],
        [
          "Not seen, or left",
          ["left_before_assessment", "missing_after_contact", "stood_down", "not_attended", "deceased"],
        ],
      ],
    }),
    code("reason", "Why not attended", { list: "not_attended_reason", if: is("disposal", "not_attended") }),
    code("decided_by", "Decided by"),
    code("transport", "Transport", {
      if: (a) => /^(s13[56]_(removed|kept)|ed_|mh_unit|arrest_custody|returned)/.test(a.disposal ?? ""),
    }),
    yes("ambulance_requested", "Was an ambulance asked for?", { if: isPoliceVehicle }),
    code("police_vehicle_reason", "Why a police vehicle", { if: isPoliceVehicle }),
    time("decided_at", "When"),
    code("location_type", "Where it was used, if elsewhere than the incident", {
      more,
      if: is("disposal", "s136_removed", "s136_kept"),
    }),
  ],
  detention: [
    code("power", "Power", { list: "detention_power", required, wide }),
    code("event", "What happened", { list: "detention_event", required, hint: LAW.clockNeverStops }),
    code("place_of_safety", "Place of safety", {
      if: is("event", "arrived_site", "entered", "kept_from", "transferred", "handover_complete"),
    }),
    code("place_reason", "Why there", {
      if: (a) =>
        is("event", "arrived_site", "entered", "kept_from", "transferred")(a) &&
        !is("place_of_safety", "health_based")(a) &&
        !!a.place_of_safety,
    }),
    yes("station_tests.imminent_risk", "Imminent risk of serious injury or death?", { if: isAtStation }),
    yes("station_tests.no_other_place", "No other place of safety could reasonably be used?", { if: isAtStation }),
    yes("station_tests.healthcare_available", "Healthcare available at the station?", { if: isAtStation }),
    code("authorised_rank", "Who authorised the station", { if: isAtStation }),
    code("minutes", "Extended by", {
      number: [1, 720],
      minutes: [60, 120, 180, 240, 360, 480, 600, 720],
      if: isExtended,
    }),
    code("ground", "Why it was extended", { list: "extension_ground", if: isExtended }),
    code("authorised_by", "Who extended", { if: isExtended }),
    yes("superintendent_approved", "At a police station: did a superintendent approve?", { more, if: isExtended }),
    code("result", "How it ended", { list: "detention_result", if: is("event", "ended") }),
    time("at", "When", { required }),
    code("reason", "Reason for the station", { text: 64, more, if: isAtStation }),
  ],
  follow_up: [
    code("event", "What followed", {
      list: "follow_up_event",
      required,
      groups: [
        ["Referral", REFERRAL],
        [
          "What happened later",
          ["seen_again", "later_s136", "later_mha_detention", "later_ed", "later_arrest", "serious_harm", "died"],
        ],
        ["The 24 hours after", ["window_checked", "not_traceable"]],
      ],
    }),
    code("referral", "Which referral", { if: is("event", ...REFERRAL) }),
    code("section", "Which section", { list: "later_section", if: is("event", "later_mha_detention") }),
    time("at", "When", { required }),
    code("sources", "Where you looked", { list: "window_source", many: 3, if: is("event", "window_checked") }),
  ],
  stand_down: [
    code("disposal", "What happened", { required, wide, groups: [["", ["stood_down", "not_attended"]]] }),
    code("reason", "Why not attended", { list: "not_attended_reason", if: is("disposal", "not_attended") }),
    code("area", "Area"),
    code("referral_source", "Who asked for help"),
  ],
};

/** Why an entry is corrected or withdrawn: asked last. @type {Record<string, Question>} */
export const REASONS = {
  amendment: code("amendment.reason", "Why it changes", {
    required,
    wide,
    options: [
      ["wrong_code", "Tapped wrongly"],
      ["learnt_later", "Known better now"],
    ],
  }),
  withdrawal: code("reason", "Why it is withdrawn", {
    required,
    options: [
      ["entered_in_error", "Entered by mistake"],
      ["wrong_incident", "Belongs to another incident"],
      ["entered_twice", "Entered twice"],
    ],
  }),
};

/** The list of codes that a question is answered from, where it is. @param {Question} question */
export const listOf = ({ field, list, yes, text, number, when, date, options }) =>
  yes || text || number || when || date || options ? undefined : (list ?? field);

const FROM_THE_INCIDENT = [
  "area",
  "location_type",
  "contact_mode",
  "referral_source",
  "age_band",
  "sex",
  "ethnicity",
  "immediate_danger",
];
const HELD_BY_A_CONSTABLE = /^s13[56]_(removed|kept)$/;

/**
 * The answers that the incident already has, which are not asked again.
 * @param {any} view
 * @param {(list: string, code: string) => any} find
 * @returns {Answers}
 */
export function known(view, find) {
  const said = FROM_THE_INCIDENT.filter((field) => view?.[field] != null && !find(field, view[field])?.missing);
  return Object.fromEntries(said.map((field) => [field, view[field]]));
}

/** The codes that may be chosen today; health is never offered a power that only a constable holds.
 * @param {any} codes @param {Question} question @param {string} profession @param {string} today "2026-11-26"
 * @returns {{code: string, label: string, short?: string}[]} */
export function choices(codes, question, profession, today) {
  if (question.yes)
    return [
      { code: "true", label: "Yes" },
      { code: "false", label: "No" },
    ];
  if (question.options) return question.options.map(([code, label]) => ({ code, label }));
  const list = /** @type {string} */ (listOf(question));
  const listed = (codes.lists[list] ?? []).filter(
    (/** @type {any} */ c) =>
      c.valid_from <= today &&
      (!c.valid_to || c.valid_to >= today) &&
      !(list === "disposal" && profession !== "police" && HELD_BY_A_CONSTABLE.test(c.code)),
  );
  return question.nobody ? [...listed, { code: "", label: question.nobody }] : listed;
}

/**
 * Questions that apply, given the answers so far and what need not be asked.
 * @param {Question[]} form
 * @param {Answers} answers
 * @param {Answers} skip
 */
export const applicable = (form, answers, skip = {}) =>
  form.filter((question) => !(question.field in skip) && (!question.if || question.if({ ...skip, ...answers })));

/** The content of the entry: what was answered to questions that apply, nothing else.
 * @param {Question[]} form @param {Answers} answers @param {Answers} [skip] */
export function content(form, answers, skip = {}) {
  /** @type {Record<string, any>} */
  const entry = {};
  for (const { field } of applicable(form, answers, skip)) {
    const value = answers[field];
    if (value == null || value === "" || (Array.isArray(value) && !value.length)) continue;
    const [outer, inner] = field.split(".");
    if (inner) entry[outer] = { ...entry[outer], [inner]: value };
    else entry[outer] = value;
  }
  return entry;
}

/** @param {any} entry @param {string} field its dotted path */
export const valueOf = (entry, field) => field.split(".").reduce((part, name) => part?.[name], entry);

/**
 * The answers that an entry holds: the way back from `content`.
 * @param {Question[]} form
 * @param {any} entry
 * @returns {Answers}
 */
export function answersOf(form, entry) {
  /** @type {Answers} */
  const answers = {};
  for (const { field, nobody } of form) {
    const value = valueOf(entry, field);
    if (value != null) answers[field] = value;
    else if (nobody && entry.not_consulted_reason) answers[field] = "";
  }
  return answers;
}

/** The whole replacement that a correction carries: what the form asks from the answers, all else as it was.
 * @param {Question[]} form @param {any} original content with its kind @param {Answers} answers */
export function replacement(form, original, answers) {
  const asked = new Set(form.map(({ field }) => field.split(".")[0]));
  const kept = Object.fromEntries(
    Object.entries(original).filter(([field]) => !asked.has(field) && !ENVELOPE.includes(field)),
  );
  return { ...kept, ...content(form, answers) };
}

/**
 * The events that may come next in a detention, the likeliest first.
 * @param {any} detention as the incident shows it, or null
 * @returns {string[]}
 */
export function nextEvents(detention) {
  if (!detention || detention.ended_at) return ["began", "arrived_site", "kept_from"];
  if (!detention.arrived_at && !detention.entered_at && !detention.kept_from)
    return ["arrived_site", "kept_from", "absconded", "ended"];
  if (!detention.entered_at && !detention.kept_from) return ["entered", "handover_complete", "transferred", "ended"];
  return ["handover_complete", "examined_by_doctor", "amhp_interview", "transferred", "extended", "ended"];
}
