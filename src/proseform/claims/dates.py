"""Dates and periods as people write them, in months; what can be read in two ways is not read.

Knowingly left out: days (a period counts the months that it touches), seasons, and calendars other than the common one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

_NAMES = (
    ("jan", "january", "januar", "jän", "jänner", "janv", "janvier", "ene", "enero", "gen", "gennaio", "janeiro"),
    ("feb", "february", "februar", "févr", "février", "febrero", "febbraio", "fev", "fevereiro"),
    ("mar", "march", "mär", "märz", "mrz", "mars", "marzo", "março"),
    ("apr", "april", "avr", "avril", "abr", "abril", "aprile"),
    ("may", "mai", "mayo", "mag", "maggio", "maio"),
    ("jun", "june", "juni", "juin", "junio", "giu", "giugno", "junho"),
    ("jul", "july", "juli", "juil", "juillet", "julio", "lug", "luglio", "julho"),
    ("aug", "august", "août", "ago", "agosto"),
    ("sep", "sept", "september", "septembre", "septiembre", "set", "settembre", "setembro"),
    ("oct", "october", "okt", "oktober", "octobre", "octubre", "ott", "ottobre", "out", "outubro"),
    ("nov", "november", "novembre", "noviembre", "novembro"),
    ("dec", "december", "dez", "dezember", "déc", "décembre", "dic", "diciembre", "dicembre", "dezembro"),
)
_MONTHS = {name: month for month, names in enumerate(_NAMES) for name in names}
_DOTS = re.compile("i\u0307|\u0131")
"""What an i becomes where software is set to Turkish; case-blind patterns take it for one."""
_YEAR = r"(?P<{0}>(?:19|20)\d\d)"
_NAME = rf"(?P<n5>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_FORMS = (
    _YEAR.format("y1") + r"[-/.](?P<m1>\d{1,2})(?:[-/.]\d{1,2})?",
    _YEAR.format("y2") + r"\s*年\s*(?P<m2>\d{1,2})\s*月",
    r"(?P<d3>\d{1,2})[./-](?P<m3>\d{1,2})[./-]" + _YEAR.format("y3"),
    r"(?P<m4>\d{1,2})[./-]" + _YEAR.format("y4"),
    rf"(?:{_DAY}\.?\s+)?{_NAME}(?:\.?,?\s*|[-/])(?:de\s+|{_DAY},?\s+)?" + _YEAR.format("y5"),
    _YEAR.format("y6"),
)
_DATE = re.compile(rf"(?<![\w/.])(?:{'|'.join(_FORMS)})(?!\w)(?![/.]\d)", re.IGNORECASE)
_UNTIL = re.compile(r"[^\S\n]*(?:to|until|till|bis|à|au|hasta|al?|até|[-\u2013\u2014\u2192])[^\S\n]*", re.IGNORECASE)
_SINCE = frozenset({"since", "seit", "depuis", "desde", "dal"})
"""What stands before the beginning of a period that lasts."""
_FROM = frozenset({"from", "von", "vom", "ab", "between", "entre"})
"""What stands before the beginning of a period whose end is said too."""
_OF = frozenset({"of", "in", "year", "years", "de", "du", "des", "en", "and"})
"""What else may stand before a year."""
_PART = re.compile(r"[\s,/-]*[QHTS][1-4]\b")
"""A quarter, a half or a term behind its year."""
_LAST = 12
_PRESENT = re.compile(
    r"\b(?:present|now|today|current|currently|ongoing|heute|aktuell|jetzt|aujourd['\u2019]hui|présent|actuel|actuellement|hoy"
    r"|actualidad|oggi|hoje|atual)\b|至今|現在",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"(?:(\d{1,2})\+? (?:years?|Jahre?n?|ans?|années?))?"
    r"(?:(?:^| | and | und | et )(\d{1,3}) (?:months?|Monate?n?|mois))?",
    re.IGNORECASE,
)

Period = tuple[int, int]
"""First and last month, both included, each as ``12 x year + month - 1``."""


def dates(text: str) -> list[Period] | None:
    """Every date of a text as the months that it may mean, a year being all of its months; None if one is ambiguous.

    >>> dates("03/2019 to 12 May 2020"), dates("2015"), dates("03/04/2015")
    ([(24230, 24230), (24244, 24244)], [(24180, 24191)], None)
    """
    return _read(_DATE.finditer(text))


def _read(found: Iterable[re.Match[str]]) -> list[Period] | None:
    """Dates as the months that they may mean; None if one is ambiguous."""
    periods: list[Period] = []
    for match in found:
        months = _months(match)
        if months is None:
            return None
        periods.append(months)
    return periods


def _months(match: re.Match[str]) -> Period | None:
    """The months that a date may mean, a year being all of its months; None where it is ambiguous, or none."""
    part = {name[0]: value for name, value in match.groupdict().items() if value is not None}
    year = 12 * int(part["y"])
    if "n" in part:
        month = _MONTHS[_DOTS.sub("i", part["n"].casefold())] + 1
    elif "d" in part and part["d"] != part["m"] and int(part["d"]) <= _LAST and "." not in match[0]:
        return None  # the fourth of March, or the third of April
    elif "m" in part:
        month = int(part["m"])
    else:
        return year, year + _LAST - 1
    return (year + month - 1, year + month - 1) if 1 <= month <= _LAST else None


def period(text: str, until: str = "") -> Period | None:
    """The months from a text's first date to its second, or of its only one; None where it has none or more.

    Args:
        text: A period in words; "since 2014" runs to the present.
        until: The date that "present" means; where it is none, a text that runs to the present is no period.

    >>> period("March 2015 to Feb 2016"), period("since long"), period("2019-03 to present", "Feb 2020")
    ((24182, 24193), None, (24230, 24241))
    >>> period("maart 2015 to 2016"), period("since 2014", "May 2014"), period("from 2014")
    (None, (24168, 24172), None)
    """
    found = [*_DATE.finditer(text)]
    ends = _read(found)
    if not ends or len(ends) > 2 or _guessed(text, found):  # noqa: PLR2004 - from and to
        return None
    before, after = text[: found[0].start()], text[found[-1].end() :]
    first_word = _last_word(before)
    if _PRESENT.search(text) or (len(ends) == 1 and first_word in _SINCE):
        now = dates(until) or []
        if len(ends) != 1 or len(now) != 1:
            return None
        ends += now
    elif len(ends) == 1 and (first_word in _FROM or _joins(before) or _joins(after)):
        return None  # where it begins, or ends, is not said
    first, last = ends[0][0], ends[-1][1]
    return (first, last) if first <= last else None


def _guessed(text: str, found: Sequence[re.Match[str]]) -> bool:
    """Whether a year of a text may be the year of a month that is not known: "maart 2019", "2019 Q1"."""
    start = 0
    for match in found:
        between, start = text[start : match.start()], match.end()
        if match["y6"] is None:
            continue
        word = _last_word(between)
        if (word and word not in _SINCE | _FROM | _OF and not _UNTIL.fullmatch(word)) or _PART.match(text, start):
            return True
    return False


def _last_word(text: str) -> str:
    """The last word of a text's last line, case folded; empty where it has none."""
    end = len(text)
    while end and not (text[end - 1].isalnum() or text[end - 1] in "_\n"):
        end -= 1
    start = end
    while start and text[start - 1].isalnum():
        start -= 1
    return text[start:end].casefold()


def _joins(text: str) -> bool:
    """Whether a text is a joint of two dates, and nothing else."""
    return bool(text.strip() and _UNTIL.fullmatch(text))


def bears_date(text: str) -> bool:
    """Whether a text has a date, or a word for the present.

    >>> bears_date("Cook, since 2019"), bears_date("until today"), bears_date("12 cakes")
    (True, True, False)
    """
    return bool(_DATE.search(text) or _PRESENT.search(text))


def backwards(text: str) -> list[str]:
    r"""The periods of a text that end before they begin, each in its words; what can be read in two ways is none.

    >>> backwards("2021-05 to 2019-03, Cook\nMay 2015 to 2016, Baker; 2015 - 2012")
    ['2021-05 to 2019-03', '2015 - 2012']
    """
    found = []
    for start, end in itertools.pairwise(_DATE.finditer(text)):
        if not _UNTIL.fullmatch(text, start.end(), end.start()):
            continue
        first, last = _months(start), _months(end)
        if first and last and first[0] > last[1]:
            found.append(text[start.start() : end.end()])
    return found


def duration(text: str) -> int | None:
    """The months that a text states as a length of time and nothing else, else None.

    >>> duration("5 years 4 months"), duration("1 year"), duration("2015"), duration("")
    (64, 12, None, None)
    """
    match = _DURATION.fullmatch(text.strip())
    return 12 * int(match[1] or 0) + int(match[2] or 0) if match and text.strip() else None


def covered(periods: Iterable[Period]) -> int:
    """Distinct months in periods that may overlap or touch.

    >>> covered([(0, 11), (6, 17), (24, 24)])
    19
    """
    total, last = 0, -1
    for first, end in sorted(periods):
        total += max(0, end - max(first, last + 1) + 1)
        last = max(last, end)
    return total
