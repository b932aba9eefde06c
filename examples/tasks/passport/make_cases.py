"""Writes cases.jsonl: passports as OCR gives them, of people and states that do not exist.

    python examples/tasks/passport/make_cases.py [COUNT] > examples/tasks/passport/cases.jsonl

Equal counts give equal files. Names are drawn from syllables, so that copying is learnt and not lists; codes of states
are ICAO's specimen and those that ISO 3166 leaves to its users. The zone for machines is as ICAO Doc 9303, part 4, has
it, check digits included. OCR confuses characters in labels and in that zone, breaks and joins lines, and puts stray
marks between them; printed values are as they were. Left out: values that are misread, and other scripts.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

COUNT, SEED = 2400, 2026
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
STATES = {
    "UTO": "UTOPIA", "XAV": "AVELLAND", "XOR": "ORMARK", "QUL": "QULISTAN", "QTH": "THESSELY", "ZZE": "ZEELAND ISLES",
}  # fmt: skip
HEADS, VOWELS, TAILS = "BDFKLMNRSTV", "AEIOU", ("", "", "N", "R")
CONFUSED = {
    "O": "0",
    "0": "O",
    "I": "1",
    "1": "I",
    "S": "5",
    "5": "S",
    "B": "8",
    "8": "B",
    "<": "K",
    "G": "6",
    "Z": "2",
}
IN_LABELS, IN_ZONE = 0.02, 0.01
"""How often a character of a label, and of the zone for machines, is confused."""
STRAY = ("* *", "~", "SPECIMEN", ". .", "|")
WEIGHTS = (7, 3, 1)
"""Of a character in a check digit, in turn (Doc 9303, part 3, 4.9)."""


class Passport(NamedTuple):
    """What a passport says."""

    number: str
    state: str
    surname: str
    given: str
    birth: date
    sex: str
    issue: date
    expiry: date
    town: str


def cases(count: int) -> Iterator[dict[str, Any]]:
    """Lines of cases.jsonl; no two people share a name."""
    rng, names = random.Random(f"passport/{SEED}"), set()
    while len(names) < count:
        passport = drawn(rng)
        person = f"{passport.surname} {passport.given}"
        if person not in names:
            names.add(person)
            yield {
                "groups": [f"person:{person}"],
                "inputs": {"passport": text(passport, rng)},
                "answer": answer(passport),
            }


def drawn(rng: random.Random) -> Passport:
    """A passport of somebody who does not exist."""
    birth = date(1940, 1, 1) + timedelta(rng.randrange(27_000))
    issue = date(2014, 1, 1) + timedelta(rng.randrange(4_300))
    given = " ".join(name(rng, 2) for _ in range(rng.choice((1, 1, 2))))
    number = rng.choice("CFGHJKLMNPRTVWXYZ") + "".join(rng.choice("0123456789") for _ in range(8))
    expiry = issue.replace(year=issue.year + 10, day=min(issue.day, 28))
    state, sex = rng.choice([*STATES]), rng.choice("FFFFMMMMX")
    return Passport(number, state, name(rng, rng.choice((2, 3))), given, birth, sex, issue, expiry, name(rng, 2))


def name(rng: random.Random, syllables: int) -> str:
    """A name out of syllables."""
    return "".join(rng.choice(HEADS) + rng.choice(VOWELS) + rng.choice(TAILS) for _ in range(syllables))


def answer(passport: Passport) -> dict[str, Any]:
    """The gold answer."""
    return {
        "number": passport.number,
        "surname": passport.surname,
        "given_names": passport.given,
        "state": passport.state,
        "birth": {"printed": printed(passport.birth), "date": passport.birth.isoformat()},
        "expiry": {"printed": printed(passport.expiry), "date": passport.expiry.isoformat()},
        "sex": passport.sex,
    }


def text(passport: Passport, rng: random.Random) -> str:
    """The passport as OCR gives it."""
    first = [f"Code {passport.state}", f"Passport No {passport.number}"]
    person = [f"Surname {passport.surname}", f"Given names {passport.given}"]
    rest = [
        f"Date of birth {printed(passport.birth)}",
        f"Sex {passport.sex}",
        f"Place of birth {passport.town}",
        f"Date of issue {printed(passport.issue)}",
        f"Date of expiry {printed(passport.expiry)}",
    ]
    if rng.random() < 1 / 2:
        first.reverse()
    if rng.random() < 1 / 3:
        rng.shuffle(rest)
    lines = [f"PASSPORT {STATES[passport.state]}", *first, *person, *rest]
    lines = [laid(misread(line, rng), rng) for line in lines]
    if rng.random() < 1 / 3:
        lines.insert(rng.randrange(1, len(lines)), rng.choice(STRAY))
    joints = [" " if rng.random() < 1 / 6 else "\n" for _ in lines[1:]]
    page = lines[0] + "".join(joint + line for joint, line in zip(joints, lines[1:], strict=True))
    return "\n".join([page, *(confused(line, IN_ZONE, rng) for line in zone(passport))])


def laid(line: str, rng: random.Random) -> str:
    """A line whose value may have slipped below its label."""
    for label in ("Surname", "Given names", "Passport No"):
        if line.startswith(label) and rng.random() < 1 / 4:
            return line.replace(f"{label} ", f"{label}\n", 1)
    return line


def misread(line: str, rng: random.Random) -> str:
    """A line whose label is misread here and there; the value is what stands in capitals and digits."""
    words = line.split(" ")
    return " ".join(word if word.upper() == word else confused(word, IN_LABELS, rng) for word in words)


def confused(line: str, rate: float, rng: random.Random) -> str:
    """A text with characters that look alike in the place of some."""
    return "".join(CONFUSED.get(one.upper(), one) if rng.random() < rate else one for one in line)


def printed(day: date) -> str:
    """A date as passports print it."""
    return f"{day.day:02d} {MONTHS[day.month - 1]} {day.year}"


def zone(passport: Passport) -> tuple[str, str]:
    """The two lines for machines."""
    born, ends = (f"{day:%y%m%d}" for day in (passport.birth, passport.expiry))
    parts = [part + check(part) for part in (passport.number, born, ends, "<" * 14)]
    upper = f"P<{passport.state}{passport.surname}<<{passport.given.replace(' ', '<')}"
    sex = "<" if passport.sex == "X" else passport.sex
    lower = f"{parts[0]}{passport.state}{parts[1]}{sex}{parts[2]}{parts[3]}"
    return f"{upper:<<44}"[:44], lower + check("".join(parts))


def check(part: str) -> str:
    """The check digit of a part.

    >>> check("L898902C3"), check("740812"), check("ZE184226B<<<<<")
    ('6', '2', '1')
    """
    values = (0 if one == "<" else int(one, 36) for one in part)
    return str(sum(value * WEIGHTS[place % 3] for place, value in enumerate(values)) % 10)


def main() -> None:
    """Print the lines."""
    for case in cases(int(sys.argv[1]) if sys.argv[1:] else COUNT):
        print(json.dumps(case, ensure_ascii=False))


if __name__ == "__main__":
    main()
