"""A scripted thumb that counts: taps, swipes, and the seconds a person would take.

It ranks layouts and finds slow steps; it is no claim about people.
"""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Locator

from support.handset import Handset

TAP, FIND_QUESTION, READ_OPTION, SWIPE = 0.7, 0.35, 0.045, 0.5
"""Seconds: a tap, finding a question, each option read up to the one wanted, a swipe."""
DEAD = 270
"""Milliseconds in which the form takes no tap after it moved on; a person does not tap that fast."""


@dataclass(slots=True)
class Thumb:
    """One thumb on one phone."""

    phone: Handset
    taps: int = 0
    swipes: int = 0
    seconds: float = 0

    async def tap(self, target: Locator, reading: float = 0) -> None:
        """Bring it into sight as a person does, by swipes, and tap it."""
        await target.wait_for(state="attached")
        await self._bring_into_sight(target)
        await self.phone.page.wait_for_timeout(DEAD)
        await target.tap()
        self.taps += 1
        self.seconds += TAP + reading

    async def press(self, name: str, reading: float = 0.3) -> None:
        await self.tap(self.phone.page.get_by_role("button", name=name, exact=True).first, reading)

    async def fill(self, answers: dict[str, str | list[str]]) -> None:
        """Answer questions of a form."""
        for field, value in answers.items():
            for place, code in enumerate([value] if isinstance(value, str) else value):
                question = self.phone.page.locator(f"#q-{field.replace('.', '-')}")
                await question.wait_for(state="attached")
                values = await question.locator("input").evaluate_all("(inputs) => inputs.map((input) => input.value)")
                reading = READ_OPTION if place else FIND_QUESTION + READ_OPTION * (values.index(code) + 1)
                option = question.locator(f'label.option:has(input[value="{code}"])')
                await self.tap(option, reading)

    async def _bring_into_sight(self, target: Locator) -> None:
        for _ in range(30):
            box: Any = await target.bounding_box()
            if box and box["y"] >= 0 and box["y"] + box["height"] <= await self.phone.run("innerHeight - 64"):
                return
            self.swipes += 1
            self.seconds += SWIPE
            await self.phone.run("(by) => scrollBy(0, by)", 420 if not box or box["y"] > 0 else -420)
