"""Generated tickets and policies, reproducible from a seed; the rule of urgency; and a careless support agent.

Urgency is the sum of three numbers: severity (critical 50, major 30, minor 10), tier (gold 30, silver 15, basic 0) and
20 where the customer has waited longer than the rule's hours. A solved ticket has 0 and is closed. From 75 on it is P1,
from 50 P2, from 25 P3, else P4; P1 and everything late is escalated, the rest is answered. P1 goes to the team on duty,
all else to the rule's owner.
Left out: working hours, tickets about two problems, policies that contradict themselves.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from proseform.case import Case, Split
from proseform.errors import InputError
from proseform_triage import rewards

SEVERITY = {"critical": 50, "major": 30, "minor": 10}
TIER = {"gold": 30, "silver": 15, "basic": 0}
LATE = 20
PRIORITY = {"P1": 75, "P2": 50, "P3": 25, "P4": 0}
"""The lowest score of each priority."""
DUTY = "duty"
"""The team that takes P1."""
OTHER = "other"
"""The last rule of every policy, for problems that no other rule names."""
LEFT_OUT = {"waiting": 0.55, "rule": 0.10, "team": 0.05}
"""How often a careless agent leaves a sentence out; waiting mostly, so that a greedy imitation has none."""
FELT = 0.35
"""How often a careless agent draws priority and decision at random."""

_Drawn = TypeVar("_Drawn")


class Level(NamedTuple):
    """A difficulty: known problems, fewest and most rules, most hours, and whether tickets are letters."""

    problems: int
    rules: tuple[int, int]
    hours: int
    letters: bool


LEVELS = {"starter": Level(8, (1, 2), 9, letters=False), "busy": Level(12, (3, 6), 96, letters=True)}


class Rule(NamedTuple):
    """A line of a policy."""

    name: str
    severity: str
    hours: int
    owner: str


def generate(level: str, split: Split, seed: int, count: int) -> Iterator[Case]:
    """Cases of a level; equal arguments give equal cases, and no customer and no policy is in two splits.

    Raises:
        InputError: Unknown level.
    """
    if level not in LEVELS:
        raise InputError(f"Task 'triage' has no level '{level}'; there are: {', '.join(LEVELS)}.")
    rng = random.Random(f"triage/{level}/{split}/{seed}")
    for index in range(count):
        yield _case(rng, level, split, f"{level}-{split}-{seed}-{index:06d}")


def annotate(case: Case, rng: random.Random) -> str:
    """The triage by a careless agent: sentences left out, priority and decision guessed instead of derived."""
    answer = dict(case.answer)
    if rng.random() < FELT:
        answer |= {"priority": rng.choice(list(PRIORITY)), "decision": rng.choice(("respond", "escalate", "close"))}
    sentences = rewards.sentences(answer)
    return rewards.layout({name: text for name, text in sentences.items() if rng.random() >= LEFT_OUT.get(name, 0.0)})


def judge(customer: Mapping[str, str], problem: Mapping[str, str], rule: Rule, waited: int) -> dict[str, Any]:
    """The exact answer of the whole schema, by the rule at the head of this module; ``waited`` in hours."""
    solved, late = problem["state"] == "solved", waited > rule.hours
    points = {"severity": SEVERITY[rule.severity], "tier": TIER[customer["tier"]], "clock": LATE * late}
    points = dict.fromkeys(points, 0) if solved else points
    score = sum(points.values())
    priority = next(name for name, least in PRIORITY.items() if score >= least)
    return {
        "customer": customer,
        "problem": problem,
        "rule": {"name": rule.name, "severity": rule.severity, "sla_hours": rule.hours, "owner": rule.owner},
        "waiting": {"hours": waited, "clock": "late" if late else "in time"},
        "points": points,
        "score": score,
        "priority": priority,
        "team": DUTY if priority == "P1" else rule.owner,
        "decision": "close" if solved else "escalate" if late or priority == "P1" else "respond",
    }


def _case(rng: random.Random, level: str, split: Split, identity: str) -> Case:
    """The next case."""
    shape, words = LEVELS[level], _words()
    known = dict(list(words["problems"].items())[: shape.problems])
    name = _held(split, lambda: f"{rng.choice(words['names'])} {rng.choice(words['trades'])}")
    rules = _held(split, lambda: _rules(rng, list(known), shape))
    rule = rng.choice(rules)
    topic = rng.choice(sorted(known.keys() - {rule.name for rule in rules})) if rule.name == OTHER else rule.name
    quote = rng.choice(known[topic]) if shape.letters else topic
    problem = {
        "quote": quote,
        "area": rng.choice(words["areas"]),
        "state": "solved" if rng.random() < 1 / 6 else "open",
    }
    answer = judge({"name": name, "tier": rng.choice(list(TIER))}, problem, rule, rng.randint(2, shape.hours))
    bullet = "- " if shape.letters else ""
    policy = "\n".join(f"{bullet}{rule.name}: {rule.severity}, {rule.hours}h, {rule.owner}" for rule in rules)
    return Case(
        id=identity,
        level=level,
        split=split,
        inputs={"ticket": _letter(rng, answer, topic) if shape.letters else _note(answer), "policy": policy},
        prose=rewards.layout(rewards.sentences(answer)),
        answer=answer,
        groups=(f"customer:{name}", f"policy:{crc32(policy.encode()):08x}"),
    )


def _rules(rng: random.Random, known: list[str], shape: Level) -> tuple[Rule, ...]:
    """A policy: in short ones a rule a severity, the gravest first and the hours in order; in long ones as it comes."""
    names = [*rng.sample(known, rng.randint(*shape.rules)), OTHER]
    severities, hours = rng.choices(list(SEVERITY), k=len(names)), rng.choices(range(2, shape.hours + 1), k=len(names))
    if not shape.letters:
        severities, hours = sorted(rng.sample(list(SEVERITY), len(names))), sorted(hours)  # by name is by gravity
    return tuple(map(Rule, names, severities, hours, rng.choices(_words()["teams"], k=len(names))))


def _note(answer: Mapping[str, Any]) -> str:
    """A ticket of three lines."""
    customer, problem = answer["customer"], answer["problem"]
    told = f"{problem['area']}: {problem['quote']}\nwaits {answer['waiting']['hours']}h, {problem['state']}"
    return f"{customer['name']}, {customer['tier']}\n{told}"


def _letter(rng: random.Random, answer: Mapping[str, Any], topic: str) -> str:
    """A ticket as customers write: the same facts among others."""
    busy, customer, problem, hours = _words()["busy"], answer["customer"], answer["problem"], answer["waiting"]["hours"]
    time = f"{hours} hours" if hours % 24 else {1: "1 day"}.get(hours // 24, f"{hours // 24} days")
    other = rng.choice([name for name in _words()["problems"] if name != topic])
    past = {
        "other": other,
        "tier": rng.choice([tier for tier in TIER if tier != customer["tier"]]),
        "hours": rng.randint(2, 96),
    }
    told = [rng.choice(busy["problem"]).format(**problem), rng.choice(busy["waiting"]).format(time=time)]
    told += [line.format(**past) for line in rng.sample(busy["chatter"], 2)]
    rng.shuffle(told)
    last = [
        rng.choice(busy["state"][problem["state"]]),
        rng.choice(busy["thanks"]),
        f"{customer['name']}, {customer['tier']} plan",
    ]
    return "\n".join([rng.choice(busy["greetings"]), *told, *last])


def _held(split: Split, draw: Callable[[], _Drawn]) -> _Drawn:
    """Draw until a hash gives the value to this split: a tenth for test, a tenth for valid, at every level and seed."""
    while True:
        value = draw()
        if {0: "test", 1: "valid"}.get(crc32(repr(value).encode()) % 10, "train") == split:
            return value


@cache
def _words() -> Mapping[str, Any]:
    """words.toml."""
    return tomllib.loads((resources.files(__package__) / "words.toml").read_text(encoding="utf-8"))
