// Every sentence of the app that says what the law is, under its source. Nothing about the law is said anywhere else.
// Sections are of the Mental Health Act 1983 as amended by the Policing and Crime Act 2017, in force 11 December 2017.

export const LAW = {
  // s136(2A): 24 hours from arrival at the first place of safety; an emergency department counts
  recordArrival: "Record the arrival: the 24 hours run from it.",
  // s136(2A): practitioners disagree whether a queue at the door is arrival, so both times are kept
  recordEntry: "Record entry and handover.",
  // s136(2): held so that a doctor can examine and an approved mental health professional can interview
  assess: "A doctor and an AMHP assess.",
  // s136B(1), (2): only the person's condition, not a missing bed, doctor or AMHP
  extend:
    "Only the responsible doctor may extend, by up to 12 hours, before the time is up, because of the person’s condition.",
  // s136B(3)
  extendAtStation: "At a police station a superintendent must approve it too.",
  // s136B(1)
  extended: "It was extended already: extensions do not add up, the longest counts.",
  // s136(2A), s136B: detention may not go beyond the permitted period
  past: "Check which power holds the person; release if none. Record the end.",
  // s136(2A), s136(3): one period from the first place of safety
  clockNeverStops: "The clock never stops for treatment or absence, and never restarts on a transfer.",
  // s136A(1)
  stationChild: "Under 18: a police station is never a place of safety.",
  // s136A(2); Mental Health Act 1983 (Places of Safety) Regulations 2017
  stationAdult:
    "At a police station: the three conditions, an inspector’s authority, and a health check every 30 minutes.",
  // s136(1): mental disorder, immediate need of care or control, necessary in the person's interests or to protect others
  threeTests: "All three must be met, as you see it now.",
  // s136(1C); Mental Health Act 1983 (Places of Safety) Regulations 2017
  consult:
    "Where practicable, ask before using Section 136: a nurse, doctor, AMHP, paramedic or occupational therapist.",
  // s136(1A)
  notInAHome: "Section 136 does not reach a home, or its own yard, garden, garage or outhouse.",
};
