// The forms: which questions, in which order, on which condition. What may be answered comes from GET /v1/codes, so
// that a new code needs no new app. A question is a field of the entry, with dots where it lies inside another;
// single choices stand before multiple ones, which do not move on by themselves. `more`: asked only of who wants to
// say more.

/**
 * @typedef {{field: string, ask: string, list?: string, yes?: boolean, many?: number,
 * text?: number, number?: [number, number], when?: boolean, date?: boolean,
 * nobody?: string, stamp?: string, more?: boolean, wide?: boolean, required?: boolean,
 * hint?: string, minutes?: number[], options?: [string, string][], groups?: [string,
 * string[]][], if?: (answers: Answers) => boolean}} Question
 */
/** Answers by field. @typedef {Record<string, any>} Answers */

const CHILD = ["under_11", "11_15", "16_17"];
/** @param {Answers} a */
const isChild = (a) => CHILD.includes(a.age_band);
/** @param {Answers} a */
const atStation = (a) => a.place_of_safety === "police_station";

/** @type {Question[]} */
const WHERE_AND_WHO = [
  { field: "area", ask: "Area", list: "area" },
  { field: "location_type", ask: "Kind of place", list: "location_type" },
  {
    field: "someone_lives_there",
    ask: "Does somebody live in that room?",
    yes: true,
    if: (a) => a.location_type === "hotel_hostel_room",
  },
  { field: "contact_mode", ask: "How you were in contact", list: "contact_mode", wide: true },
  { field: "referral_source", ask: "Who asked for you", list: "referral_source" },
  { field: "age_band", ask: "Age", list: "age_band", wide: true },
  { field: "could_be_under_18", ask: "Could they be under 18?", yes: true, if: (a) => a.age_band === "unknown" },
  { field: "sex", ask: "Sex", list: "sex" },
  {
    field: "ethnicity",
    ask: "Ethnicity, as they say it",
    list: "ethnicity",
    groups: [
      ["Not asked, or not said", ["N1", "N2", "N3", "N4", "NS", "UN"]],
      ["White", ["W1", "W2", "W3", "W5", "W9"]],
      ["Asian", ["A1", "A2", "A3", "A4", "A9"]],
      ["Black", ["B1", "B2", "B9"]],
      ["Mixed", ["M1", "M2", "M3", "M9"]],
      ["Other", ["O2", "O9"]],
    ],
  },
];
/** @type {Question[]} */
const NOW = [
  { field: "legal_status", ask: "Legal status now", list: "legal_status" },
  { field: "immediate_danger", ask: "Immediate danger", list: "immediate_danger", wide: true },
];
/** @type {Question} */
const PRESENTING = {
  field: "presenting",
  ask: "What is happening",
  list: "presenting",
  many: 3,
  hint: "up to 3, the main one first",
};

/** @type {Question[]} */
const SAY_MORE = [
  { field: "log_ref", ask: "Log number", text: 64, more: true, hint: "police log or ambulance CAD" },
  { field: "force_code", ask: "Which force", text: 64, more: true, if: (a) => a.area === "out_of_county" },
  { field: "occurred_at", ask: "When it happened", when: true, more: true },
  { field: "arrived_at", ask: "When you arrived", when: true, more: true },
  { field: "left_at", ask: "When you left", when: true, more: true },
  { field: "age", ask: "Age in years", number: [0, 130], more: true },
  { field: "age_estimated", ask: "Is the age a guess?", yes: true, more: true },
  { field: "age_verified", ask: "Was the age checked with somebody or something?", yes: true, more: true },
  { field: "interpreter_needed", ask: "Interpreter needed?", yes: true, more: true },
  { field: "disability", ask: "Disability, as they say it", list: "disability", more: true },
];

/** @type {Question} */
const NOTE = { field: "note", ask: "Note", text: 280, more: true, hint: "no names" };

/** @type {Record<string, Question[]>} */
export const FORMS = {
  officer: [
    ...WHERE_AND_WHO,
    ...NOW,
    {
      field: "consulted.role",
      ask: "Who are you consulting?",
      list: "consulted_role",
      nobody: "Nobody",
      stamp: "consulted.at",
      hint: "kept with the time of this tap",
    },
    {
      field: "not_consulted_reason",
      ask: "Why nobody",
      list: "not_consulted_reason",
      if: (a) => a["consulted.role"] === "",
    },
    { field: "offence", ask: "Offence", list: "offence", wide: true },
    { field: "force_type", ask: "Force used", list: "force_type", wide: true },
    PRESENTING,
    {
      field: "arrest_necessity",
      ask: "Why an arrest would be necessary",
      list: "arrest_necessity",
      many: 6,
      if: (a) => a.legal_status === "arrested" || a.offence === "alleged_minor" || a.offence === "alleged_serious",
    },
    ...SAY_MORE,
    { field: "consulted.at", ask: "When you consulted", when: true, more: true, if: (a) => !!a["consulted.role"] },
    { field: "domestic_abuse", ask: "Domestic abuse?", yes: true, more: true },
    { field: "referrals", ask: "Referred to", list: "police_referral", many: 6, more: true },
    NOTE,
  ],
  nurse: [
    {
      field: "s136_justified",
      ask: "Would Section 136 be justified now?",
      list: "s136_justified",
      wide: true,
      hint: "your own judgement",
    },
    { field: "told_intent", ask: "Has anybody told you what the officer means to do?", yes: true },
    { field: "assessment", ask: "How you assessed", list: "assessment" },
    { field: "advice", ask: "Your advice", list: "advice", stamp: "advice_given_at" },
    { field: "known_to_services", ask: "Known to services", list: "known_to_services" },
    { field: "crisis_plan", ask: "Crisis plan", list: "crisis_plan" },
    { field: "safety_plan", ask: "Safety plan", list: "safety_plan" },
    ...WHERE_AND_WHO,
    ...NOW,
    PRESENTING,
    { field: "referrals", ask: "Referred to", list: "health_referral", many: 12 },
    ...SAY_MORE,
    { field: "advice_given_at", ask: "When you advised", when: true, more: true, if: (a) => !!a.advice },
    { field: "looked_after", ask: "Looked after by the local authority?", yes: true, more: true, if: isChild },
    { field: "parent_or_carer_informed", ask: "Parent or carer informed?", yes: true, more: true, if: isChild },
    { field: "follow_up_owner", ask: "Who follows up", list: "health_referral", more: true },
    { field: "follow_up_due", ask: "Follow-up due", date: true, more: true },
    NOTE,
  ],
  paramedic: [
    { field: "physical_need", ask: "Physical need", list: "physical_need" },
    { field: "initial_plan", ask: "First plan", list: "initial_plan" },
    {
      field: "ed_reason",
      ask: "Why the emergency department",
      list: "ed_reason",
      if: (a) => a.initial_plan === "ed" || /^ed_/.test(a.physical_need ?? ""),
    },
    { field: "conveyed", ask: "Conveyed", list: "conveyed" },
    { field: "capacity_to_decide_care", ask: "Capacity to decide on care", list: "capacity_to_decide_care" },
    ...WHERE_AND_WHO,
    ...NOW,
    PRESENTING,
    ...SAY_MORE,
    { field: "news2", ask: "NEWS2 score", number: [0, 20], more: true },
    NOTE,
  ],
  outcome: [
    {
      field: "disposal",
      ask: "What was decided",
      list: "disposal",
      required: true,
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
    },
    { field: "reason", ask: "Why not attended", list: "not_attended_reason", if: (a) => a.disposal === "not_attended" },
    { field: "decided_by", ask: "Decided by", list: "decided_by" },
    {
      field: "transport",
      ask: "Transport",
      list: "transport",
      if: (a) => /^(s13[56]_(removed|kept)|ed_|mh_unit|arrest_custody|returned)/.test(a.disposal ?? ""),
    },
    {
      field: "ambulance_requested",
      ask: "Was an ambulance asked for?",
      yes: true,
      if: (a) => a.transport === "police_vehicle",
    },
    {
      field: "police_vehicle_reason",
      ask: "Why a police vehicle",
      list: "police_vehicle_reason",
      if: (a) => a.transport === "police_vehicle",
    },
    { field: "decided_at", ask: "When", when: true },
    {
      field: "location_type",
      ask: "Where it was used, if elsewhere than the incident",
      list: "location_type",
      more: true,
      if: (a) => /^s136_/.test(a.disposal ?? ""),
    },
  ],
  detention: [
    { field: "power", ask: "Power", list: "detention_power", required: true, wide: true },
    { field: "event", ask: "What happened", list: "detention_event", required: true },
    {
      field: "place_of_safety",
      ask: "Place of safety",
      list: "place_of_safety",
      if: (a) => ["arrived_site", "entered", "kept_from", "transferred", "handover_complete"].includes(a.event),
    },
    {
      field: "place_reason",
      ask: "Why there",
      list: "place_reason",
      if: (a) =>
        ["arrived_site", "entered", "kept_from", "transferred"].includes(a.event) &&
        !!a.place_of_safety &&
        a.place_of_safety !== "health_based",
    },
    {
      field: "station_tests.imminent_risk",
      ask: "Imminent risk of serious injury or death?",
      yes: true,
      if: atStation,
    },
    {
      field: "station_tests.no_other_place",
      ask: "No other place of safety could reasonably be used?",
      yes: true,
      if: atStation,
    },
    {
      field: "station_tests.healthcare_available",
      ask: "Healthcare available at the station?",
      yes: true,
      if: atStation,
    },
    { field: "authorised_rank", ask: "Who authorised the station", list: "authorised_rank", if: atStation },
    {
      field: "minutes",
      ask: "Extended by",
      number: [1, 720],
      minutes: [60, 120, 180, 240, 360, 480, 600, 720],
      if: (a) => a.event === "extended",
    },
    { field: "ground", ask: "Why it was extended", list: "extension_ground", if: (a) => a.event === "extended" },
    { field: "authorised_by", ask: "Who extended", list: "authorised_by", if: (a) => a.event === "extended" },
    {
      field: "superintendent_approved",
      ask: "At a police station: did a superintendent approve?",
      yes: true,
      more: true,
      if: (a) => a.event === "extended",
    },
    { field: "result", ask: "How it ended", list: "detention_result", if: (a) => a.event === "ended" },
    { field: "at", ask: "When", when: true, required: true },
    { field: "reason", ask: "Reason for the station", text: 64, more: true, if: atStation },
  ],
  follow_up: [
    {
      field: "event",
      ask: "What followed",
      list: "follow_up_event",
      required: true,
      groups: [
        ["Referral", ["offered", "accepted", "kept", "missed", "declined_by_service"]],
        [
          "What happened later",
          ["seen_again", "later_s136", "later_mha_detention", "later_ed", "later_arrest", "serious_harm", "died"],
        ],
        ["The 24 hours after", ["window_checked", "not_traceable"]],
      ],
    },
    {
      field: "referral",
      ask: "Which referral",
      list: "referral",
      if: (a) => ["offered", "accepted", "kept", "missed", "declined_by_service"].includes(a.event),
    },
    { field: "section", ask: "Which section", list: "later_section", if: (a) => a.event === "later_mha_detention" },
    { field: "at", ask: "When", when: true, required: true },
    {
      field: "sources",
      ask: "Where you looked",
      list: "window_source",
      many: 3,
      if: (a) => a.event === "window_checked",
    },
  ],
  stand_down: [
    {
      field: "disposal",
      ask: "What happened",
      required: true,
      wide: true,
      list: "disposal",
      groups: [["", ["stood_down", "not_attended"]]],
    },
    { field: "reason", ask: "Why not attended", list: "not_attended_reason", if: (a) => a.disposal === "not_attended" },
    { field: "area", ask: "Area", list: "area" },
    { field: "referral_source", ask: "Who asked for you", list: "referral_source" },
  ],
};

/** Why an entry is corrected or withdrawn: asked last. @type {Record<string, Question>} */
export const REASONS = {
  amendment: {
    field: "amendment.reason",
    ask: "Why it changes",
    required: true,
    wide: true,
    options: [
      ["wrong_code", "Tapped wrongly"],
      ["learnt_later", "Known better now"],
    ],
  },
  withdrawal: {
    field: "reason",
    ask: "Why it is withdrawn",
    required: true,
    options: [
      ["entered_in_error", "Entered by mistake"],
      ["wrong_incident", "Belongs to another incident"],
      ["entered_twice", "Entered twice"],
    ],
  },
};

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
 * What the incident already says, and need not be asked again.
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
  const listed = (codes.lists[/** @type {string} */ (question.list)] ?? []).filter(
    (/** @type {any} */ c) =>
      c.valid_from <= today &&
      (!c.valid_to || c.valid_to >= today) &&
      !(question.list === "disposal" && profession !== "police" && HELD_BY_A_CONSTABLE.test(c.code)),
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
    const [outer, inner] = field.split(".");
    const value = inner ? entry[outer]?.[inner] : entry[outer];
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
const ENVELOPE = ["id", "incident_id", "captured_at", "codes_version", "form_version", "answers", "test", "car"];

/**
 * What may happen next in a detention, the likeliest first.
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
