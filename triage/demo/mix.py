"""Values drawn with weights."""

from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Mix(Generic[T]):
    """Values drawn with weights."""

    def __init__(self, weights: dict[T, float]) -> None:
        self._values = tuple(weights)
        self._upto = tuple(accumulate(weights.values()))

    def draw(self, rng: Random) -> T:
        return rng.choices(self._values, cum_weights=self._upto)[0]
