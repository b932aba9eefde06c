"""A task of data alone: what is derived from schema and cases, what a file replaces, what is refused with its place."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proseform import laws, task
from proseform.case import SPLITS
from proseform.errors import InputError, ProseformError, RowError, TaskError
from proseform.task import plain, replay

Row = dict[str, Any]

SCHEMA: dict[str, Any] = {
    "title": "What is in a parcel",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "heavy": {"enum": ["yes", "no"]},
        "thing": {"type": "string", "maxLength": 40, "x-from": "parcel"},
        "grams": {"type": "integer", "minimum": 0, "maximum": 999},
    },
    "required": ["heavy", "thing", "grams"],
}
PARCELS = ("wool hat", "clay cup", "tin of tea", "toy boat", "blue vase", "long rope")


def rows(count: int = 40) -> list[Row]:
    """Sound rows, without splits."""
    return [
        {
            "inputs": {"parcel": f"No. {number}: a {PARCELS[number % 6]}, {number * 7 % 900} g"},
            "answer": {
                "heavy": "yes" if number * 7 % 900 > 99 else "no",
                "thing": PARCELS[number % 6],
                "grams": number * 7 % 900,
            },
        }
        for number in range(count)
    ]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes a task's folder, with further files by name, where tasks are looked for."""
    monkeypatch.setenv(task.FOLDERS, str(tmp_path))

    def write(cases: list[Row] | str | None = None, name: str = "parcels", **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        lines = rows() if cases is None else cases
        text = lines if isinstance(lines, str) else "".join(json.dumps(row) + "\n" for row in lines)
        (folder / "cases.jsonl").write_text(text)
        for file, content in files.items():
            (folder / file.replace("_", ".")).write_text(content)
        return folder

    return write


def changed(place: int, **fields: Any) -> list[Row]:
    """Sound rows, one of them changed."""
    cases = rows()
    cases[place] = {**cases[place], **fields}
    return cases


def test_schema_and_cases_are_a_task_that_keeps_every_law(write: Callable[..., Path]) -> None:
    write()
    parcels = task.load("parcels")
    assert list(laws.broken(parcels)) == []
    assert (parcels.name, parcels.title, parcels.inputs) == ("parcels", "What is in a parcel", ("parcel",))
    assert (parcels.levels, list(parcels.formats)) == (("own",), ["full"])
    assert parcels.gold[1].prose == 'Thing: "clay cup".\nHeavy: "no".\nGrams: 7.'
    assert parcels.annotate(parcels.gold[1], random.Random(0)) == parcels.gold[1].prose
    assert parcels.read(parcels.gold[1].prose, {}).value == parcels.gold[1].answer
    assert "Thing: It stands in parcel." in parcels.guide


def test_cases_are_replayed_by_split_whatever_the_seed(write: Callable[..., Path]) -> None:
    write()
    parcels = task.load("parcels")
    by_split = {split: list(parcels.generate("own", split, 0, sys.maxsize)) for split in SPLITS}
    assert sorted(case.id for cases in by_split.values() for case in cases) == [f"{at:06d}" for at in range(1, 41)]
    assert all(len(cases) > 1 for cases in by_split.values())
    assert list(parcels.generate("own", "train", 5, 3)) == by_split["train"][:3]
    with pytest.raises(InputError, match="no level 'starter'; there is: own"):
        parcels.generate("starter", "train", 0, 1)


def test_a_case_keeps_its_split_when_others_are_added(write: Callable[..., Path]) -> None:
    write(rows(40), "few")
    write(rows(60), "more")
    few, more = (
        {case.id: split for split in SPLITS for case in task.load(name).generate("own", split, 0, 99)}
        for name in ("few", "more")
    )
    assert more | few == more


def letters(count: int, rule: str = "Rule {}.", start: int = 0) -> list[Row]:
    """Rows with an input of their own, and a rule."""
    return [
        {**row, "inputs": {**row["inputs"], "rule": rule.format(start + place)}}
        for place, row in enumerate(rows(start + count)[start:])
    ]


def splits_of(name: str) -> list[str]:
    """The split of each case of a task, in the order of the lines."""
    loaded = task.load(name)
    return [
        split
        for _, split in sorted((case.id, split) for split in SPLITS for case in loaded.generate("own", split, 0, 999))
    ]


def test_a_case_keeps_its_split_when_others_make_an_input_common(write: Callable[..., Path]) -> None:
    write(letters(40), "few")
    write(letters(40) + letters(60, "The rule.", 40), "more")
    assert splits_of("more")[:40] == splits_of("few")
    assert {*splits_of("few")} == {*SPLITS}


def test_a_case_follows_an_earlier_one_with_its_text_or_its_group(write: Callable[..., Path]) -> None:
    """A stated split, or one by hash; layout and letter case make no other text."""
    known = letters(40, "The rule.")
    for split, row in zip(SPLITS, known, strict=False):
        row.update(split=split, groups=[f"sender:{split}"])
    again = [
        {**row, "inputs": {"parcel": row["inputs"]["parcel"].upper() + " ", "rule": f"Another {place}."}}
        for place, row in enumerate(letters(40, "The rule."))
    ]
    more = letters(120, "The rule.", 40)
    grouped = [{**row, "groups": [f"sender:{SPLITS[at % 3]}"]} for at, row in enumerate(letters(9, "The rule.", 160))]
    write(known + more + again + grouped)
    told = splits_of("parcels")
    assert told[:3] == list(SPLITS)
    assert told[160:200] == told[:40]
    assert told[200:] == list(SPLITS) * 3


def test_a_case_that_would_follow_two_is_refused_and_moves_neither(write: Callable[..., Path]) -> None:
    first, *others = letters(12)
    second = {**others[0], "split": "test"}
    both = {**first, "inputs": {"parcel": first["inputs"]["parcel"], "rule": second["inputs"]["rule"]}}
    write([{**first, "split": "train"}, second, *others[1:], both])
    with pytest.raises(
        RowError, match=r"line 13: field 'inputs.rule': the same text is in split 'test' too \(line 2\)"
    ):
        task.load("parcels")


def test_what_belongs_together_is_in_one_split(write: Callable[..., Path]) -> None:
    write([{**row, "groups": [f"sender:{place % 20}"]} for place, row in enumerate(rows(60))])
    parcels = task.load("parcels")
    splits: dict[str, set[str]] = {}
    for split in SPLITS:
        for case in parcels.generate("own", split, 0, 99):
            splits.setdefault(case.groups[0], set()).add(split)
    assert len(splits) == 20
    assert all(len(of) == 1 for of in splits.values())


def test_a_stated_split_and_id_are_taken(write: Callable[..., Path]) -> None:
    cases = [{**row, "id": f"p{at}", "split": SPLITS[at % 3]} for at, row in enumerate(rows(12))]
    write(cases)
    assert [case.id for case in task.load("parcels").generate("own", "valid", 0, 9)] == ["p1", "p4", "p7", "p10"]


REFUSED: dict[str, tuple[list[Row] | str, str]] = {
    "no JSON": ('{"inputs": {"parcel": "x"}, "answer"\n', r"cases.jsonl, line 1: not a line of JSON"),
    "an empty file": ("\n", r"cases.jsonl: there is no case in it"),
    "no answer": ([{"inputs": {"parcel": "x"}}], r"line 1: field 'answer' is missing"),
    "a field too many": (changed(2, verdict="x"), r"line 3: unknown field 'verdict'"),
    "prose in one line alone": (changed(2, prose="x"), r"line 1: field 'prose': there is none, and other lines state"),
    "an input of another name": (
        changed(3, inputs={"letter": "x"}),
        r"line 4: field 'inputs': it has letter, expected",
    ),
    "an input that is no text": (changed(3, inputs={"parcel": 7}), r"line 4: field 'inputs.parcel' is a number"),
    "a blank input": (changed(3, inputs={"parcel": " \n"}), r"line 4: field 'inputs.parcel': the input is blank"),
    "an unknown split": (changed(1, split="dev"), r"line 2: field 'split' is 'dev', expected one of train"),
    "groups that are none": (changed(1, groups=[7]), r"line 2: field 'groups' is a list of texts"),
    "an answer of another type": (
        changed(5, answer={**rows()[5]["answer"], "grams": "35"}),
        r"line 6: field 'answer.grams': \"35\" is not of type",
    ),
    "a choice that there is not": (
        changed(5, answer={**rows()[5]["answer"], "heavy": "perhaps"}),
        r"line 6: field 'answer.heavy': ",
    ),
    "an id twice": (changed(1, id="000001"), r"line 2: field 'id': '000001' stands on line 1 already"),
    "a group in two splits": (
        [{**row, "groups": ["a"], "split": SPLITS[at % 3]} for at, row in enumerate(rows(6))],
        r"line 2: field 'groups': 'a' is in split 'train' too \(line 1\)",
    ),
    "a text in two splits": (
        [{**rows()[0], "split": "train"}, *({**row, "split": "test"} for row in [*rows(9)[1:], rows()[0]])],
        r"line 10: field 'inputs.parcel': the same text is in split 'train' too \(line 1\)",
    ),
    "more faults than are shown": (
        [{**row, "inputs": {"parcel": ""}} if at else row for at, row in enumerate(rows(9))],
        r"line 2: .*line 3: .*line 4: .*And 5 more lines",
    ),
}


@pytest.mark.parametrize(("cases", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_case_is_refused_by_line_and_field(
    write: Callable[..., Path], cases: list[Row] | str, words: str
) -> None:
    write(cases)
    with pytest.raises(RowError, match=words):
        task.load("parcels")


def excerpts(text: str) -> dict[str, str]:
    """A file of excerpts, in a task of two inputs."""
    two = [{**row, "inputs": {**row["inputs"], "rule": f"rule {at}"}} for at, row in enumerate(rows())]
    return {"cases_jsonl": "".join(json.dumps(row) + "\n" for row in two), "excerpts_toml": text}


HEADS: dict[str, tuple[dict[str, str], str]] = {
    "no TOML": ({"task_toml": "title ="}, "parcels/task.toml: not TOML"),
    "an unknown key": ({"task_toml": "levels = ['a']"}, "unknown key 'levels'"),
    "a dated input that is none": ({"task_toml": "dated = ['diary']"}, "dated: 'diary' is no input of this task"),
    "a title that is none": ({"task_toml": "title = 7"}, "title is 7"),
    "inputs that are none": ({"task_toml": "inputs = [1]"}, "inputs is"),
    "a name that no placeholder has": ({"task_toml": "inputs = ['Parcel 1']"}, "'Parcel 1' names no input"),
    "a schema that is no JSON": ({"schema_json": "{"}, "parcels/schema.json: not JSON"),
    "a schema that is none": ({"schema_json": '{"type": "thing"}'}, "schema.json: is no JSON schema"),
    "a schema without bounds": (
        {"schema_json": '{"type": "object", "properties": {"a": {"type": "string"}}}'},
        "schema.json: unbounded at /: an object that is not closed.*and 1 more places",
    ),
    "a quote of no input": (
        {"schema_json": json.dumps(SCHEMA).replace('"x-from": "parcel"', '"x-from": "letter"')},
        "there is no input 'letter'",
    ),
    "a prompt without a user's turn": ({"evaluator_md": "Judge."}, "parcels/evaluator.md: no '# user' section"),
    "synonyms that are none": ({"synonyms_toml": "cup = 7"}, "a line is NAME"),
    "an excerpt of no input": (excerpts("[letter]\nby = 'rule'\nwithin = 500"), "'letter' is no input of this task"),
    "an excerpt that is no table": (excerpts("parcel = 'rule'"), "'parcel' is no input"),
    "an excerpt by no input": (
        excerpts("[parcel]\nby = 'parcel'\nwithin = 500"),
        "by is 'parcel', expected one of: rule",
    ),
    "an excerpt by nothing": (excerpts("[parcel]\nwithin = 500"), "by is None, expected one of: rule"),
    "an excerpt without end": (excerpts("[parcel]\nby = 'rule'"), "within is None, expected characters"),
    "an excerpt of no length": (excerpts("[parcel]\nby = 'rule'\nwithin = 0"), "within is 0, expected characters"),
    "common words in a list": (
        excerpts("[parcel]\nby = 'rule'\nwithin = 500\ncommon = ['a']"),
        "common is \\['a'\\], expected words in one text",
    ),
    "another key": (excerpts("[parcel]\nby = 'rule'\nwithin = 500\nfirst = 3"), "unknown key 'first'"),
}


@pytest.mark.parametrize(("files", "words"), HEADS.values(), ids=HEADS)
def test_a_malformed_file_is_named(write: Callable[..., Path], files: dict[str, str], words: str) -> None:
    write(**files)
    with pytest.raises(TaskError, match=words):
        task.load("parcels")


BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "a prompt that asks for another input": ({"evaluator_md": "# user\n{letter}"}, "evaluator.md has the placeholders"),
    "a format that names no field": ({"task_toml": "formats.full = ['weight']"}, "which the schema does not have"),
    "a term that nothing scores": ({"rubric_toml": "[variants.own]\nwit = 1.0"}, "weighs wit"),
}


@pytest.mark.parametrize(("files", "words"), BROKEN.values(), ids=BROKEN)
def test_a_law_that_a_file_breaks_is_named(write: Callable[..., Path], files: dict[str, str], words: str) -> None:
    write(**files)
    with pytest.raises(TaskError, match=words):
        laws.check(task.load("parcels"))


def test_a_split_without_a_case_and_a_text_that_stands_nowhere_break_laws(write: Callable[..., Path]) -> None:
    write([{**row, "split": "train"} for row in rows(9)])
    assert "level 'own' has no case of split 'test'" in [*laws.broken(task.load("parcels"))]
    write(changed(0, answer={**rows()[0]["answer"], "thing": "gold bar"}), "strange")
    assert "ungrounded at /thing" in next(laws.broken(task.load("strange")))


def test_files_replace_what_is_derived(write: Callable[..., Path]) -> None:
    write(
        evaluator_md="# system\nWeigh {this}.\n# user\nParcel: {parcel} {{ 7*7 }} {% if %} $x",
        formatter_md="# user\n{prose} {schema}",
        rubric_toml="[variants.mine]\nformat = 0.5\naccuracy = 0.5\n",
        guide_md="Say it plainly.",
        synonyms_toml='"clay cup" = "mug"',
        task_toml="title = 'Parcels'\nformats = {brief = ['grams'], full = ['heavy', 'thing', 'grams']}",
    )
    parcels = task.load("parcels")
    assert (parcels.title, parcels.guide, parcels.synonyms) == ("Parcels", "Say it plainly.", {"clay cup": ("mug",)})
    asked = parcels.evaluator.render({"parcel": "{x} a hat"}).messages
    assert [turn["content"] for turn in asked] == ["Weigh {this}.", "Parcel: {x} a hat {{ 7*7 }} {% if %} $x"]
    assert (parcels.formatter.prefill, parcels.variant, list(parcels.formats)) == ("", "mine", ["brief", "full"])


CHANGES: list[tuple[dict[str, str], set[str], str]] = [
    ({}, set(), "nothing"),
    ({"guide_md": "Say it."}, {"data"}, "the guide"),
    ({"README_md": "Words."}, {"data"}, "a README"),
    ({"task_toml": "title = 'x'"}, {"contract", "data"}, "the title, which the derived prompt says"),
    ({"task_toml": "formats = {all = ['heavy', 'thing', 'grams']}"}, {"contract"}, "the formats"),
    ({"rubric_toml": "[variants.own]\nformat = 1.0"}, {"data"}, "the rubric"),
    ({"synonyms_toml": 'cup = "mug"'}, {"contract"}, "synonyms"),
    (excerpts(""), {"contract", "data"}, "an input more, and no excerpt of any"),
    ({"evaluator_md": "# user\n{parcel}!"}, {"contract"}, "a prompt"),
    ({"schema_json": json.dumps({**SCHEMA, "description": "x"})}, {"contract"}, "the schema"),
    ({"schema_json": json.dumps(SCHEMA, indent=4)}, set(), "the schema's layout"),
    ({"notes_txt": "words"}, set(), "a file that nothing reads"),
    ({"cases_jsonl": "".join(json.dumps(row) + "\n" for row in rows(41))}, {"data"}, "a case more"),
]


@pytest.mark.parametrize(("files", "moved", "what"), CHANGES, ids=[what for *_, what in CHANGES])
def test_which_digest_a_change_moves(
    write: Callable[..., Path], tmp_path: Path, files: dict[str, str], moved: set[str], what: str
) -> None:
    before = plain.read(write())
    for file, content in files.items():
        (tmp_path / "parcels" / file.replace("_", ".")).write_text(content)
    after = plain.read(tmp_path / "parcels")
    assert {name for name in ("contract", "data") if getattr(before, name) != getattr(after, name)} == moved, what


def test_the_contract_states_the_version_of_the_form(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write()
    before = plain.read(folder).contract
    monkeypatch.setattr("proseform.verbal.VERSION", "verbal/2")
    assert plain.read(folder).contract != before


def test_a_folder_is_found_by_name_by_path_and_among_others(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write()
    (tmp_path / "empty").mkdir()
    assert {"cv", "parcels"} <= set(task.names())
    monkeypatch.setenv(task.FOLDERS, os.pathsep.join(["/nowhere", str(folder)]))
    assert task.load("parcels").name == "parcels"
    monkeypatch.setenv(task.FOLDERS, "")
    with pytest.raises(TaskError, match=r"No task 'parcels'; installed: .*cv"):
        task.load("parcels")
    assert task.located("cv") == "cv"
    assert task.located(str(folder)) == "parcels"
    assert task.load("parcels").name == "parcels"
    monkeypatch.delenv(task.FOLDERS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    folder.rename(tmp_path / "tasks/parcels")
    assert task.load("parcels").name == "parcels"
    assert task.located("parcels") == "parcels"
    monkeypatch.chdir("/")  # what a run starts may work elsewhere
    assert task.load("parcels").name == "parcels"
    assert os.environ[task.FOLDERS] == os.pathsep.join([f"{tmp_path}/tasks/parcels", f"{tmp_path}/tasks"])


def test_a_path_without_a_task_and_a_name_of_two_are_refused(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    with pytest.raises(TaskError, match=r"no task is there\. Its folder holds schema.json and cases.jsonl"):
        task.located(f"{tmp_path}/nothing")
    other = tmp_path / "others/parcels"
    other.mkdir(parents=True)
    for name in plain.NEEDED:
        (other / name).write_bytes((tmp_path / "parcels" / name).read_bytes())
    monkeypatch.setenv(task.FOLDERS, os.pathsep.join([str(tmp_path), str(other)]))
    with pytest.raises(TaskError, match="Two folders are the task 'parcels'"):
        task.load("parcels")
    write(name="cv")
    monkeypatch.setenv(task.FOLDERS, str(tmp_path))
    with pytest.raises(TaskError, match=r"Two tasks are 'cv': the package proseform.tasks.cv and"):
        task.load("cv")


def test_data_alone_starts_no_process(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No code comes with it, so that its laws are tried where it is loaded."""

    def child(_module: str) -> None:
        raise AssertionError("a process was started")

    write()
    monkeypatch.setattr("proseform.laws.trial.Child", child)
    from proseform.laws import trial

    assert trial.load("parcels").name == "parcels"


def test_every_error_is_one_of_input(write: Callable[..., Path]) -> None:
    """Exit code 2: nothing was started."""
    write("[]")
    with pytest.raises(ProseformError) as caught:
        task.load("parcels")
    assert caught.value.exit_code == 2
    assert replay.LEVEL == "own"


def test_an_excerpt_is_part_of_the_contract(write: Callable[..., Path]) -> None:
    whole, short, other = (
        plain.read(write(name=name, **excerpts(text)), "parcels")
        for name, text in (
            ("whole", ""),
            ("short", "[parcel]\nby = 'rule'\nwithin = 500"),
            ("other", "[parcel]\nby = 'rule'\nwithin = 500\ncommon = 'a the'"),
        )
    )
    assert len({whole.contract, short.contract, other.contract}) == 3
    assert short.shown({"parcel": "a map\nFor you\nOf Rome" + "\n" * 500, "rule": "rule 1"}) == {
        "parcel": "a map\nFor you",
        "rule": "rule 1",
    }
    assert whole.shown({"parcel": "a map\nfor you", "rule": "x"})["parcel"] == "a map\nfor you"
