"""The form of a schema: what it looks like, what each term pays for, and what games it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from proseform import digest, hostile, verbal
from proseform.case import Case
from proseform.schema import Schema
from proseform.verbal import Form

SCHEMA = Schema(
    {
        "type": "object",
        "required": ["verdict", "points", "note", "skills"],
        "properties": {
            "verdict": {
                "enum": ["pass", "fail"],
                "x-derive": {"threshold": "points", "steps": [[2, "pass"]], "else": "fail"},
            },
            "points": {"type": "integer", "x-derive": {"count": "/skills", "where": {"met": True}}},
            "note": {"type": "string", "description": "What a reader should know."},
            "skills": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "met": {"type": "boolean"},
                        "skill_name": {"type": "string", "title": "Skill"},
                        "quote": {"type": "string", "x-from": "letter"},
                    },
                },
            },
        },
    },
    "schema.json",
)
FORM = Form(SCHEMA, ("letter",))
ANSWER: dict[str, Any] = {
    "verdict": "pass",
    "points": 2,
    "note": 'says "maybe"',
    "skills": [
        {"met": True, "skill_name": "knots", "quote": "ties knots"},
        {"met": True, "skill_name": "sails", "quote": "sews sails"},
        {"met": False, "skill_name": "maps", "quote": ""},
    ],
}
PROSE = """\
Skills 1. Quote: "ties knots". Met: yes. Skill: "knots".
Skills 2. Quote: "sews sails". Met: yes. Skill: "sails".
Skills 3. Quote: "". Met: no. Skill: "maps".
Points: 2.
Verdict: pass.
Note: "says \\"maybe\\""."""
CASE = Case(
    id="one",
    level="own",
    split="train",
    inputs={"letter": "She ties knots and sews sails."},
    prose=PROSE,
    answer=ANSWER,
)


def scores(text: str) -> dict[str, float]:
    """Every term of a text."""
    return {name: term(text, CASE) for name, term in FORM.terms.items()}


def test_quotes_come_first_and_a_verdict_behind_what_it_follows_from() -> None:
    """The schema has the verdict first; the prose has it behind what it follows from."""
    assert FORM.write(ANSWER) == PROSE
    assert FORM.read(PROSE, {}).value == ANSWER


def test_the_version_changes_with_the_form() -> None:
    """A bundle of a task of data alone agrees with the form by its version: raise it where this text changes."""
    assert (verbal.VERSION, digest.of_json(PROSE)) == (
        "verbal/1",
        "sha256:b241189f315e5a424d9e707d53a8df1f8f7f0e7e745ea219579de926ab2f2549",
    )


def test_gold_earns_everything_and_what_is_foreign_nothing() -> None:
    assert scores(PROSE) == dict.fromkeys(FORM.terms, 1.0)
    for text in ("", "{}", "I'd be happy to help! Could you share more?", '{"verdict": "pass"}'):
        assert scores(text) == dict.fromkeys(FORM.terms, 0.0), text


LESS: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "a wrong verdict": (lambda text: text.replace("pass", "fail"), {"accuracy", "grounding"}),
    "a quote that stands nowhere": (lambda text: text.replace("ties", "cuts"), {"accuracy", "grounding"}),
    "a leaf left out": (lambda text: text.replace("\nPoints: 2.", ""), {*FORM.terms}),
    "a leaf twice": (lambda text: f"{text}\nVerdict: fail.", {"accuracy", "format", "grounding"}),
    "a row too many": (
        lambda text: text.replace("\nPoints", '\nSkills 4. Quote: "". Met: no. Skill: "tar".\nPoints'),
        {"accuracy"},
    ),
    "talk before it": (lambda text: f"Sure!\n{text}", {"format", "grounding", "concision"}),
    "another order": (lambda text: "\n".join(reversed(text.split("\n"))), {"format", "grounding"}),
    "the whole again": (lambda text: f"{text}\n{text}", {"accuracy", "format", "grounding", "concision"}),
}


@pytest.mark.parametrize(("change", "lower"), LESS.values(), ids=LESS)
def test_what_is_not_gold_earns_less_in_these_terms(change: Callable[[str], str], lower: set[str]) -> None:
    earned = scores(change(PROSE))
    assert lower <= {name for name, score in earned.items() if score < 1.0}
    assert all(0.0 <= score <= 1.0 for score in earned.values())


def test_a_wrong_leaf_costs_accuracy_its_share() -> None:
    assert scores(PROSE.replace("Points: 2", "Points: 1"))["accuracy"] == pytest.approx(11 / 12)


def test_every_hostile_text_gets_the_same_number_twice() -> None:
    for row in hostile.texts(PROSE):
        once = scores(row.text)
        assert once == scores(row.text), row.name
        assert all(0.0 <= score <= 1.0 for score in once.values()), row.name


def test_the_terms_go_to_another_process() -> None:
    there = pickle.loads(pickle.dumps(FORM.terms))
    assert {name: term(PROSE, CASE) for name, term in there.items()} == dict.fromkeys(FORM.terms, 1.0)


def test_a_schema_that_states_nothing_of_its_values_has_no_term_for_it() -> None:
    bare = Form(Schema({"properties": {"a": {"type": "boolean"}}}), ("letter",))
    assert set(bare.terms) == set(bare.rubric["variants"]["derived"]) == {*FORM.terms} - {"grounding"}
    assert sum(bare.rubric["variants"]["derived"].values()) == pytest.approx(1)


def test_the_form_in_words_names_each_field_with_what_is_known_of_it() -> None:
    assert verbal.described(SCHEMA, FORM.labels).split("\n")[1:] == [
        "- Skills: several, numbered.",
        "  - Quote: It stands in letter.",
        "  - Met: yes or no.",
        "  - Skill: a text.",
        '- Points: a whole number. It follows: {"count": "/skills", "where": {"met": true}}.',
        '- Verdict: pass or fail. It follows: {"threshold": "points", "steps": [[2, "pass"]], "else": "fail"}.',
        "- Note: What a reader should know.",
    ]


def test_the_order_follows_references_and_branches_and_ends_where_they_lead_back() -> None:
    node = {"type": "object", "properties": {name: {"$ref": "#/$defs/node"} for name in "abcde"}}
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "tree": {"$ref": "#/$defs/alias"},
                "total": {"type": "integer", "x-derive": {"count": "/rows"}},
                "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
                "maybe": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/quotes"}]},
            },
            "$defs": {
                "node": node,
                "alias": {"$ref": "#/$defs/node"},
                "quotes": {"type": "array", "items": {"type": "string", "x-from": "letter"}},
                "row": {"allOf": [{"properties": {"verdict": {}, "words": {"type": "string", "x-from": "letter"}}}]},
            },
        }
    )
    order = Form(schema, ("letter",)).labels.order
    assert order[()] == ("rows", "maybe", "tree", "total")
    assert order["rows",] == ("words", "verdict")
    assert order["tree", "a", "b"] == tuple("abcde")
