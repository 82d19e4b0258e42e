// Every sentence of the app that says what the law is, with its source. Nothing about the law is said anywhere
// else. Sections are of the Mental Health Act 1983 as amended by the Policing and Crime Act 2017, in force 11
// December 2017.

/** @type {Record<string, {text: string, source: string}>} */
export const LAW = {
  recordArrival: {
    text: "Record the arrival: the 24 hours run from it.",
    source: "s136(2A): 24 hours from arrival at the first place of safety; an emergency department counts",
  },
  recordEntry: {
    text: "Record entry and handover.",
    source: "s136(2A): practitioners disagree whether a queue at the door is arrival, so both times are kept",
  },
  assess: {
    text: "A doctor and an AMHP assess.",
    source: "s136(2): held so that a doctor can examine and an approved mental health professional can interview",
  },
  extend: {
    text: "Only the responsible doctor may extend, by up to 12 hours, before the time is up, because of the person’s condition.",
    source: "s136B(1), (2): only the person's condition, not a missing bed, doctor or AMHP",
  },
  extendAtStation: {
    text: "At a police station a superintendent must approve it too.",
    source: "s136B(3)",
  },
  extended: {
    text: "It was extended already: extensions do not add up, the longest counts.",
    source: "s136B(1)",
  },
  past: {
    text: "Check which power holds the person; release if none. Record the end.",
    source: "s136(2A), s136B: detention may not go beyond the permitted period",
  },
  clockNeverStops: {
    text: "The clock never stops for treatment or absence, and never restarts on a transfer.",
    source: "s136(2A), s136(3): one period from the first place of safety",
  },
  stationChild: {
    text: "Under 18: a police station is never a place of safety.",
    source: "s136A(1)",
  },
  stationAdult: {
    text: "At a police station: the three conditions, an inspector’s authority, and a health check every 30 minutes.",
    source: "s136A(2); Mental Health Act 1983 (Places of Safety) Regulations 2017",
  },
  threeTests: {
    text: "All three must be met, as you see it now.",
    source:
      "s136(1): mental disorder, immediate need of care or control, necessary in the person's interests or to protect others",
  },
  consult: {
    text: "Where practicable, ask before using Section 136: a nurse, doctor, AMHP, paramedic or occupational therapist.",
    source: "s136(1C); Mental Health Act 1983 (Places of Safety) Regulations 2017",
  },
  notInAHome: {
    text: "Section 136 does not reach a home, or its own yard, garden, garage or outhouse.",
    source: "s136(1A)",
  },
};
