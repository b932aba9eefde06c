"""What other names of things the task knows, out of its words: writes ``synonyms.toml``.

    python -m proseform.tasks.cv.synonyms

A quote supports what a job asks for if that, or another name of it, stands there. A test compares the file with the
words. Known in every language, since CVs and jobs need not be of one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

from proseform.tasks.cv.data import data

ARTICLES = ("a ", "an ", "the ")
_HEAD = """# What else a CV may call what a job asks for: skills, fields of study, certificates, permits and languages.
# Made from the files in words/ by `python -m proseform.tasks.cv.synonyms`; change those.
"""


def synonyms() -> dict[str, list[str]]:
    """Names to other names of the same thing, whichever of them a job uses, or of what is more."""
    names: dict[str, dict[str, None]] = {}
    for name, other in _pairs():
        if name.casefold() != other.casefold():
            names.setdefault(name, {})[other] = None
    return {name: list(others) for name, others in sorted(names.items())}


def permit(name: str, value: str) -> str:
    """A permit as jobs ask for it, without an article: what an evaluation calls it."""
    text = str(data("words/deeds.en")["permits"][name]).format(value=value)
    return next((text.removeprefix(article) for article in ARTICLES if text.startswith(article)), text)


def _pairs() -> Iterator[tuple[str, str]]:
    """Each name with each other name."""
    for table in data("words/aliases").values():
        for name, others in table.items():
            yield from permutations((name, *others), 2)
    for name, field in data("words/study")["field"].items():
        yield from permutations((name, field["de"], field["fr"]), 2)
    credentials = data("words/credentials")
    for certificate in credentials["certificate"]:
        yield from permutations((certificate["short"], certificate["long"]), 2)
    for language in credentials["language"]:
        yield from permutations((language["en"], language["de"], language["fr"]), 2)
    for kind in credentials["permit"]:
        yield from _permits(kind)


def _permits(kind: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What CVs write who hold a permit, or one that includes it."""
    values, holds, includes = kind["values"], kind["holds"], kind.get("includes", {})
    assert isinstance(values, list) and isinstance(holds, dict) and isinstance(includes, dict)  # noqa: PT018
    for value in values:
        better = [other for other, lesser in includes.items() if value in lesser]
        for held in (value, *better):
            for template in holds["en"]:
                yield permit(str(kind["name"]), value), template.format(value=held)


def main() -> None:
    """Write the file."""
    lines = [
        f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(others, ensure_ascii=False)}"
        for name, others in synonyms().items()
    ]
    Path(__file__).with_name("synonyms.toml").write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
