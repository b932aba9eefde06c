"""Writes cases.jsonl: bicycles that a workshop has looked at, each judged by one of four mechanics in words of his own.

    python examples/tasks/bicycles/make_cases.py [COUNT] > examples/tasks/bicycles/cases.jsonl

Equal counts give equal files. A sheet has what was measured; the answer follows from it by the rules below. The prose
is free: one mechanic goes part by part, one names what is wrong and waves at the rest, one writes to the customer, one
keeps it short. No reader knows these texts, and which mechanic writes is not told by the sheet.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

COUNT, SEED = 2000, 2026
PADS_MM, CHAIN_PERCENT, TYRE_BAR = 1.0, 0.5, 3.0
"""Pads below, a chain from, and a tyre below which something is to be done."""
WORN = 0.35
"""How often a part is not as it should be."""
MINUTES = {"front_pads": 15, "rear_pads": 15, "chain": 20, "tyres": 5, "lamp": 10}
GOOD = "good"
PARTS = {
    "front_pads": "front pads",
    "rear_pads": "rear pads",
    "chain": "chain",
    "tyres": "tyres",
    "lamp": "lamp",
}
MANY = {"front_pads", "rear_pads", "tyres"}
"""Parts of which one speaks in the plural."""
Answer = dict[str, Any]
Found = dict[str, str]


def cases(count: int) -> Iterator[dict[str, Any]]:
    """Lines of cases.jsonl; no two bicycles share a tag."""
    rng = random.Random(f"bicycles/{SEED}")
    tags = [f"{letter}-{number}" for letter in "BCDFGKLMNPRSTVW" for number in range(1000, 10000)]
    for tag in rng.sample(tags, count):
        sheet, answer, found = drawn(tag, rng)
        yield {
            "groups": [f"bike:{tag}"],
            "inputs": {"sheet": sheet},
            "answer": answer,
            "prose": rng.choice(MECHANICS)(answer, found, rng),
        }


def drawn(tag: str, rng: random.Random) -> tuple[str, Answer, Found]:
    """A sheet, what follows from it, and what was found of each part."""
    front, rear = ((rng.randrange(2, 10) if rng.random() < WORN else rng.randrange(10, 40)) / 10 for _ in range(2))
    chain = (rng.randrange(50, 99) if rng.random() < WORN else rng.randrange(5, 50)) / 100
    bar = (rng.randrange(12, 30) if rng.random() < WORN else rng.randrange(30, 55)) / 10
    lamp = rng.choice(("lights", "lights", "dark"))
    lines = [
        f"pads front {front} rear {rear}",
        f"chain {chain:.2f}",
        f"softer tyre {bar} bar",
        f"lamp {lamp}",
    ]
    rng.shuffle(lines)
    answer: Answer = {
        "bike": tag,
        "front_pads": "worn" if front < PADS_MM else GOOD,
        "rear_pads": "worn" if rear < PADS_MM else GOOD,
        "chain": "worn" if chain >= CHAIN_PERCENT else GOOD,
        "tyres": "low" if bar < TYRE_BAR else GOOD,
        "lamp": "out" if lamp == "dark" else GOOD,
    }
    wrong = faults(answer)
    answer["minutes"] = sum(MINUTES[part] for part in wrong)
    braking = "front_pads" in wrong or {"rear_pads", "lamp"} <= {*wrong}
    answer["verdict"] = "stop" if braking else "repair" if wrong else "ride"
    found = dict(zip(PARTS, (str(front), str(rear), f"{chain:.2f}", f"{bar} bar", lamp), strict=True))
    return "\n".join([f"tag {tag}", *lines]), answer, found


def faults(answer: Answer) -> list[str]:
    """The parts that something is to be done about."""
    return [part for part in PARTS if answer[part] != GOOD]


def ada(answer: Answer, found: Found, rng: random.Random) -> str:
    """Part by part."""
    said = []
    for part, name in PARTS.items():
        verb = "are" if part in MANY else "is"
        well = rng.choice((f"{verb} fine", f"{verb} good", "will do"))
        ill = {
            "worn": rng.choice((f"{verb} worn", f"{verb} at the end")),
            "low": f"{verb} too soft",
            "out": f"{verb} dead",
        }
        at = "" if part == "lamp" else f" at {found[part]}"
        said.append(f"{name}{at} {well if answer[part] == GOOD else ill[answer[part]]}")
    end = {"ride": "Ready to ride", "repair": "Repair it first", "stop": "Nobody rides this"}[answer["verdict"]]
    return f"{answer['bike']}. {'; '.join(said).capitalize()}. {answer['minutes']} minutes. {end}."


def ben(answer: Answer, found: Found, rng: random.Random) -> str:
    """What is wrong, and the rest with a wave of the hand."""
    todo = {
        "front_pads": rng.choice(("new pads in front", "front pads to be replaced")),
        "rear_pads": rng.choice(("new pads at the back", "rear pads to be replaced")),
        "chain": rng.choice(("a new chain", "the chain has stretched, swap it")),
        "tyres": rng.choice(("pump it up", "air for the tyres")),
        "lamp": rng.choice(("a new lamp", "no light, see to the lamp")),
    }
    wrong = [f"{found[part]}: {todo[part]}" for part in faults(answer)]
    begin = f"Had {answer['bike']} on the stand."
    if not wrong:
        return f"{begin} {rng.choice(('Nothing to do', 'Not a thing wrong with it'))}, off it goes."
    end = {"repair": "Can wait until tomorrow, but fix it", "stop": "Lock it away until that is done"}
    listed = "; ".join(wrong)
    return f"{begin} It wants: {listed}. Rest is fine. Call it {answer['minutes']} min. {end[answer['verdict']]}."


def carla(answer: Answer, found: Found, rng: random.Random) -> str:
    """To the customer."""
    hello = rng.choice(("Dear customer", "Good morning", "Hello"))
    called = {
        "front_pads": "the brake pads in front",
        "rear_pads": "the brake pads behind",
        "chain": "the chain",
        "tyres": "the pressure of your tyres",
        "lamp": "the lamp",
    }
    wrong = [f"{called[part]} ({found[part]})" for part in faults(answer)]
    if not wrong:
        return f"{hello}, we looked at {answer['bike']} and found nothing to complain of. Enjoy your ride!"
    listed = " and ".join(filter(None, [", ".join(wrong[:-1]), wrong[-1]]))
    end = {
        "repair": "You may collect it, though we would rather mend it first",
        "stop": "Please do not ride it before that",
    }[answer["verdict"]]
    return f"{hello}, on {answer['bike']} we must see to {listed}, which takes {answer['minutes']} minutes. {end}."


def dov(answer: Answer, found: Found, _rng: random.Random) -> str:
    """In few words."""
    wrong = [f"{PARTS[part]} {found[part]}" for part in faults(answer)]
    why = f"bad: {', '.join(wrong)}" if wrong else "all checked, all sound"
    end = {"ride": "Fit to ride", "repair": "Workshop", "stop": "Stop"}[answer["verdict"]]
    return f"{answer['bike']}, {why}. {answer['minutes']} minutes of work. {end}."


MECHANICS: tuple[Callable[[Answer, Found, random.Random], str], ...] = (ada, ben, carla, dov)


if __name__ == "__main__":
    for case in cases(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT):
        print(json.dumps(case, ensure_ascii=False))
