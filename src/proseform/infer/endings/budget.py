"""Keeps a constrained completion within its budget: watches for the place from which an ending still fits.

A model writes freely for as long as an ending is far. From time to time, ever more often as the budget runs out, an
ending is looked for (:mod:`proseform.infer.endings.search`); the last place from which one fits is remembered, and when
none fits any more, what was written behind the best place is taken back. Near the end every token is checked: the
model's choice is kept if an ending still fits behind it, with a little room for each free text that is still to come;
else the next likeliest, else the ending's own. A completion that ends within half of its budget is never looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from proseform.errors import Refusal
from proseform.infer.endings.cut import Mark, pointers
from proseform.infer.endings.lapses import Lapses
from proseform.infer.endings.search import STEPS, Endings, Place

STEPS_IN_ALL = 20 * STEPS
"""Steps of all searches for one completion; then the ending that is known is written as it is."""

_TRIAL = 400
"""Steps of a search behind one token that a model would take where the budget is tight."""

_SLACK = 8
"""Tokens above the length of the ending from which on every token is checked."""

_ROOM_FOR_TEXT = 12
"""Tokens that are left, where there are any, for each free text that is still to come."""

_LARGE = 8192
"""Tokens of the largest document that is looked for, so that a refusal can say how many a schema takes."""

_LONGEST_TOKEN = 6
"""Bytes a token that a search allows for; what is longer in tokens than the budget is refused afterwards."""


@dataclass(slots=True)
class Plan:
    """An ending that fits.

    Attributes:
        count: Tokens of the completion behind which it goes on.
        place: Where the document stands there.
        tokens: The ending.
        text: Its bytes.
    """

    count: int
    place: Place
    tokens: list[int]
    text: bytes


@dataclass
class Budget:
    """The budget of one completion.

    Attributes:
        compiled: Gives the endings of the completion's schema; called once, and not before half of the budget is used.
        prefill: The bytes of the document before the first token.
        most: Tokens of the longest completion.
        encode: Bytes to the fewest tokens of theirs, or so.
        decode: Tokens to bytes.
        stop: The ids that end a completion.
        deadline: On :func:`time.monotonic`'s clock; no search begins behind it.
        marks: Where the model's choice was replaced.
        tight: Whether every token is to be chosen by :meth:`choose`.
    """

    compiled: Callable[[], Endings]
    prefill: bytes
    most: int
    encode: Callable[[bytes], list[int]]
    decode: Callable[[Sequence[int]], bytes]
    stop: frozenset[int]
    deadline: float | None = None
    marks: list[Mark] = field(default_factory=list)
    tight: bool = False
    _plan: Plan | None = None
    _next: int = -1
    _steps: int = 0
    _shortest: int | None = None
    _texts: int = -1
    _share: int = 0

    def check(self, ids: Sequence[int]) -> int:
        """How many of the tokens are kept, behind a token that was taken freely.

        Fewer than there are where an ending fits only further ahead; the completion then goes on from there, every
        token chosen by :meth:`choose`.
        """
        if self._next < 0:
            self._next = max(1, self.most // 2)
        if self.tight or len(ids) < self._next:
            return len(ids)
        here = self._at(self._plan, ids, len(ids))
        plan = here and self._planned(here, len(ids))
        if plan is not None:
            gap = self.most - len(ids) - self._aim(plan)
            self._plan, self._next, self.tight = plan, len(ids) + max(1, gap // 2), gap <= _SLACK
            return len(ids)
        known = self._plan or self._first()
        if known is None:
            self._next = len(ids) + max(1, (self.most - len(ids)) // 4)
            return len(ids)
        self._plan, self.tight = self._latest(known, ids), True
        kept = self._plan.count
        written = len(self.prefill) + len(self.decode(ids[:kept]))
        self.marks = [mark for mark in self.marks if mark.offset <= written]
        self._mark(ids[:kept], ids[kept])
        return kept

    def choose(self, ids: Sequence[int], ranked: Sequence[int]) -> int:
        """The token to take, of those that the model would take, the likeliest first; for a tight budget."""
        plan = self._plan
        assert plan is not None
        self._divide(plan)
        for order, token in enumerate(ranked):
            if token in self.stop:
                return self._taken(ids, ranked, order, token, plan)
            following = [token] == plan.tokens[:1]
            chosen = self._followed(plan) if following else self._tried(plan, token, len(ids) + 1)
            if chosen is not None:
                return self._taken(ids, ranked, order, token, chosen)
        if not plan.tokens:
            return self._taken(ids, ranked, 1, min(self.stop), plan)
        return self._taken(ids, ranked, 1, plan.tokens[0], self._followed(plan))

    def cut(self, ids: Sequence[int]) -> tuple[str, ...]:
        """JSON pointers to what was cut in the completed document; see :func:`proseform.infer.endings.cut.pointers`."""
        return pointers(self.prefill + self.decode(ids), self.marks)

    @cached_property
    def lapses(self) -> Lapses:
        """Watches for what the grammar allows and the verifier refuses."""
        return Lapses(self.prefill, self.decode)

    @cached_property
    def endings(self) -> Endings:
        """The endings of the schema's documents."""
        return self.compiled()

    def permitted(self, ids: Sequence[int], token: int, ranked: Callable[[], Iterable[int]]) -> int:
        """A token, or the next likeliest one that the verifier does not refuse; for a budget that is not tight."""
        if not self.lapses.lapse(ids, token):
            return token
        other = self.lapses.first(ids, ranked(), token)
        if other != token:
            self._mark(ids, token)
        return other

    def refusal(self) -> Refusal:
        """Why the completion could not be ended within its budget."""
        if self._shortest and self._shortest > self.most:
            return Refusal(
                "budget",
                f"The shortest document that was found for the schema takes {self._shortest} tokens; "
                f"{self.most} are allowed.",
                hint="Allow the formatter more tokens, or ask for a smaller schema.",
            )
        return Refusal(
            "budget",
            f"No ending of the document was found within the {self.most} tokens that are allowed.",
            hint="Allow the formatter more tokens, or ask for a schema with simpler patterns.",
        )

    def _taken(self, ids: Sequence[int], ranked: Sequence[int], order: int, token: int, plan: Plan) -> int:
        """Take a token; where it is not the model's own choice, that is marked."""
        if order:
            self._mark(ids, ranked[0])
        self._plan = plan
        return token

    def _mark(self, ids: Sequence[int], refused: int) -> None:
        """Mark that a token of the model's was replaced behind some others."""
        first = b"" if refused in self.stop else self.decode([refused])[:1]
        self.marks.append(Mark(len(self.prefill) + len(self.decode(ids)), first))

    def _followed(self, plan: Plan) -> Plan:
        """The plan behind its own first token."""
        piece = self.decode(plan.tokens[:1])
        place = self.endings.walk(plan.place, piece)
        return Plan(plan.count + 1, place or plan.place, plan.tokens[1:], plan.text[len(piece) :])

    def _tried(self, plan: Plan, token: int, count: int) -> Plan | None:
        """The plan behind another token, if an ending fits there."""
        piece = self.decode([token])
        place = self.endings.walk(plan.place, piece)
        if place is None:
            return None
        for start in range(min(len(piece) + 2, len(plan.text)), -1, -1):
            if self.endings.ends(place, plan.text[start:]):  # much of it often still fits, shorter by what was written
                return self._fitting(place, plan.text[start:], count)
        return self._fitting(place, self._search(place, (self.most - count) * _LONGEST_TOKEN, _TRIAL), count)

    def _fitting(self, place: Place, text: bytes | None, count: int) -> Plan | None:
        """A plan of an ending, if it fits and leaves the texts to come their share."""
        plan = None if text is None else self._written(place, text, count)
        if plan is None:
            return None
        reserve = self._share * min(self.endings.rest(place).texts, self._texts)
        return plan if len(plan.tokens) + reserve <= self.most - count else None

    def _divide(self, plan: Plan) -> None:
        """Share what is left above the ending among the text being written and those to come, anew for each of them."""
        texts = self.endings.rest(plan.place).texts
        if texts != self._texts:
            left = self.most - plan.count - len(plan.tokens)
            self._texts, self._share = texts, min(_ROOM_FOR_TEXT, left // (texts + 1))

    def _written(self, place: Place, text: bytes, count: int) -> Plan | None:
        """An ending in tokens; None where the vocabulary cannot write it."""
        tokens = self.encode(text)
        return Plan(count, place, tokens, text) if self.decode(tokens) == text else None

    def _first(self) -> Plan | None:
        """The plan behind the prefill."""
        if self._shortest is None:
            place = self._at(None, [], 0)
            plan = place and self._planned(place, 0, room=_LARGE)
            self._shortest = len(plan.tokens) if plan else 0
            return plan if plan and self._shortest <= self.most else None
        return None  # it was looked for before

    def _planned(self, place: Place, count: int, room: int = 0) -> Plan | None:
        """A plan behind so many tokens, if an ending is found that fits; into what is left, or another room."""
        text = self._search(place, (room or self.most - count) * _LONGEST_TOKEN)
        plan = None if text is None else self._written(place, text, count)
        return plan if plan is not None and len(plan.tokens) <= (room or self.most - count) else None

    def _latest(self, known: Plan, ids: Sequence[int]) -> Plan:
        """The plan of a late place from which an ending fits, by bisection between a known one and the last token."""
        low, high = known, len(ids)
        while high - low.count > 1:
            middle = (low.count + high) // 2
            place = self._at(low, ids, middle)
            plan = place and self._planned(place, middle)
            if plan is None:
                high = middle
            else:
                low = plan
        return low

    def _at(self, plan: Plan | None, ids: Sequence[int], count: int) -> Place | None:
        """Where the document stands behind so many tokens, which are at least the plan's."""
        if plan is None:
            start = self.endings.walk(self.endings.start(), self.prefill)
            return start and self.endings.walk(start, self.decode(ids[:count]))
        return self.endings.walk(plan.place, self.decode(ids[plan.count : count]))

    def _search(self, place: Place, limit: int, steps: int = STEPS) -> bytes | None:
        """A search for an ending of so many bytes, where time and steps are left."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        if late or self._steps >= STEPS_IN_ALL:
            return None
        ending, taken = self.endings.find(place, limit, steps)
        self._steps += taken
        return ending

    def _aim(self, plan: Plan) -> int:
        """Tokens to keep free for an ending: its own, and some for each free text in it; at most half of those left."""
        left = self.most - plan.count - len(plan.tokens)
        texts = self.endings.rest(plan.place).texts
        return len(plan.tokens) + min(_ROOM_FOR_TEXT * texts, math.ceil(left / 2)) if left > 0 else len(plan.tokens)
