"""The forms that become something other than an entry from their answers: a question, a chase, a person's link."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from triage.access.actors import Actor
from triage.pages.fields import Field, when
from triage.pages.form import EntryForm
from triage.people.notes import likely_identifiers
from triage.store.log.tasks import LONGEST_TEXT

OF_POLICE: Final = (("intent", "The intent"),)
ABOUT: Final = (
    ("location_type", "The place"),
    ("disposal", "The outcome"),
    ("at", "A time"),
    ("age", "The age"),
    ("intent", "The intent"),
    ("conflict", "Where records disagree"),
    ("other", "Something else"),
)
PERSON_REASONS: Final = (
    ("confirmed_identity", "Identity confirmed"),
    ("record_checked", "Found in a record"),
    ("other", "Something else"),
)


def ask_form(authors: Sequence[tuple[str, str]], about: str, actor: Actor) -> EntryForm:
    """About a field that the addressee may see: health staff are asked of no intent."""
    options = ABOUT if actor.side == "police" else tuple(option for option in ABOUT if option not in OF_POLICE)
    known = about in dict(options)
    note = Field(
        name="text",
        kind="note",
        question="Question",
        required=False,
        longest=LONGEST_TEXT,
        hint="No names. It goes to the author’s phone with the next sync; the answer is an entry or an amendment.",
    )
    return EntryForm(
        title="Ask the author",
        button="Ask",
        done="Asked. It reaches the author’s phone with its next sync.",
        before="" if authors else "Nobody of your own profession wrote of this incident.",
        fields=(
            Field(
                name="to",
                kind="radios",
                question="Whom?",
                options=tuple(authors),
                hint="Your own staff who wrote of it.",
            ),
            Field(name="about", kind="radios", question="About what?", options=options),
            note,
        ),
        body=dict,
        odd=_odd_text,
        filled={"about": about if known else "conflict" if about else ""}
        | ({"to": authors[0][0]} if len(authors) == 1 else {}),
    )


def assign_form(colleagues: Sequence[tuple[str, str]]) -> EntryForm:
    """A chase for an outcome, given to one of the colleagues (id, name)."""
    return EntryForm(
        title="Give somebody the chase",
        button="Give it",
        done="Given. It reaches the phone with its next sync.",
        fields=(
            Field(name="to", kind="choice", question="To whom?", options=tuple(colleagues)),
            when("due_at", "By when?"),
        ),
        body=dict,
    )


def _odd_text(values: Mapping[str, Any]) -> dict[str, str]:
    if likely_identifiers(values.get("text", "")):
        return {"text": "This looks like a name, a number or an address. Take it out, or send it again if it is none."}
    return {}


def person_form(actor: Actor) -> EntryForm:
    """Whom the incident concerns: health staff know an NHS number, the police a reference of theirs."""
    number = (
        Field(name="nhs_number", kind="text", question="NHS number", required=False, hint="Ten digits.")
        if actor.side == "health"
        else Field(name="police_ref", kind="text", question="Police reference", required=False)
    )
    return EntryForm(
        title="Link a person",
        button="Link",
        done="The person is linked.",
        before="What is typed here is sealed, and never shown again. It says that this incident concerns the same "
        "person as others; nobody is told whether the person is known.",
        fields=(
            number,
            Field(name="family_name", kind="text", question="Family name", required=False),
            Field(name="given_name", kind="text", question="Given name", required=False),
            Field(
                name="born",
                kind="date",
                question="Date of birth",
                required=False,
                hint="Names and birth date count only together.",
            ),
            Field(name="reason", kind="radios", question="How is it known?", options=PERSON_REASONS),
        ),
        body=dict,
        odd=lambda values: (
            {} if len(values) > 1 else {"family_name": "Enter a number, or both names and the date of birth."}
        ),
    )
