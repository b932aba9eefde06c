"""Cases of a user's own: what is taken as it is, and what is refused before anything trains, each with its place."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proseform import config, task
from proseform.case import SPLITS
from proseform.data import own, splits
from proseform.errors import InputError, RowError
from proseform.input import Input

CV = task.load("cv")
Row = dict[str, Any]


def rows(count: int = 3) -> list[Row]:
    """Sound cases of every split."""
    return [json.loads(case.to_json()) for split in SPLITS for case in CV.generate("starter", split, 7, count)]


def write(folder: Path, cases: list[Row], name: str = "mine.jsonl", **how: Any) -> Path:
    """A case file, one object a line."""
    path = folder / name
    path.write_text("".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases), encoding="utf-8", **how)
    return path


def load(path: Path, **knobs: Any) -> own.Own:
    """Read and check a case file."""
    return own.load(CV, config.Dataset(file=str(path), **knobs), CV.rubric())


def changed(place: int, **fields: Any) -> list[Row]:
    """Sound cases, one of them changed; ``answer`` and ``inputs`` are changed in part."""
    cases = rows()
    for name, value in fields.items():
        cases[place][name] = {**cases[place][name], **value} if isinstance(value, dict) else value
    return cases


def test_sound_cases_are_taken_by_their_split(tmp_path: Path) -> None:
    cases = load(write(tmp_path, rows(3)))
    assert {split: len(of) for split, of in cases.cases.items()} == {"train": 3, "valid": 3, "test": 3}
    assert (cases.own_style, cases.notice, cases.level) == (0, "", "starter")


@pytest.mark.parametrize(
    "character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e", "\r", "\u00a0", "\ufeff"], ids=ascii
)
def test_line_separators_within_an_input_are_text(character: str, tmp_path: Path) -> None:
    """JSON Lines end at line feeds alone; every other separator may stand in a CV, escaped or not."""
    cases = changed(0, inputs={"cv": rows()[0]["inputs"]["cv"] + f"\nfirst{character}second"})
    assert character in load(write(tmp_path, cases)).cases["train"][0].inputs["cv"]
    counts = splits.write(CV, config.Dataset(file=str(tmp_path / "mine.jsonl")), {}, tmp_path, lambda *_: None)
    assert counts["cases-train"] == counts["evaluator-train"] == 3
    from proseform.train import rows as trained

    prompt = trained.read(tmp_path / "evaluator-train.jsonl")[0].prompt
    assert f"first{Input.of(character).text}second" in prompt.text


def test_a_byte_order_mark_windows_line_ends_blank_lines_and_no_last_line_end_are_fine(tmp_path: Path) -> None:
    text = "\n\r\n".join(json.dumps(case) for case in rows())
    (tmp_path / "mine.jsonl").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert len(load(tmp_path / "mine.jsonl").cases["train"]) == 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1).filter(str.strip))
def test_any_text_may_follow_in_an_input(text: str, tmp_path: Path) -> None:
    cases = changed(0, inputs={"cv": f"{rows()[0]['inputs']['cv']}\n{text}"})  # what is quoted ends at its line
    assert load(write(tmp_path, cases)).cases["train"][0].inputs["cv"].endswith(text)


def again(place: int, **added: str) -> list[Row]:
    """Sound cases, one of them the first once more in its own split and of another person, with text added."""
    cases = rows()
    first = {name: cases[0][name] for name in ("inputs", "prose", "answer", "facts")}
    cases[place] |= {**first, "inputs": {name: text + added.get(name, "") for name, text in first["inputs"].items()}}
    return cases


def as_one(cases: list[Row]) -> list[Row]:
    """Cases that are all the first, each in its own split and of another person."""
    return [again(at)[at] | {"groups": [f"person:{at}"]} for at in range(len(cases))]


HOBBIES = {0: "\nHobby: chess", 3: "\n\n HOBBY: Chess"}
CVS = [case["inputs"]["cv"] + HOBBIES.get(at, "") for at, case in enumerate(again(3))]
"""The fourth is the first, laid out otherwise."""

REFUSED: dict[str, tuple[list[Row], str]] = {
    "a blank input": (changed(2, inputs={"cv": " \n\t"}), "line 3: field 'inputs.cv': the input is blank"),
    "an input of null": (changed(1, inputs={"job": None}), "line 2: field 'inputs.job' is null, expected text"),
    "an input too many": (
        changed(0, inputs={"photo": "x"}),
        "line 1: field 'inputs': it has the inputs cv, job, photo",
    ),
    "an id that stands twice": (changed(4, id=rows()[1]["id"]), "line 5: field 'id': .* stands on line 2 already"),
    "a blank id": (changed(4, id=" "), "line 5: field 'id': it is blank"),
    "an unknown level": (
        changed(3, level="grandmaster"),
        "line 4: field 'level': .*no level 'grandmaster'; there are starter",
    ),
    "empty prose": (changed(2, prose=" \n"), "line 3: field 'prose': the evaluation is empty"),
    "prose that is none": (
        changed(0, prose="He is fine, hire him."),
        "line 1: field 'prose': the gold prose is not accepted",
    ),
    "prose with a word too many, among prose in form": (
        changed(0, prose="In short: " + rows()[0]["prose"]),
        "line 1: field 'prose': the gold prose is not accepted",
    ),
    "prose of another case": (
        changed(0, prose=rows()[1]["prose"]),
        "line 1: field 'prose': the gold prose is not accepted: ungrounded at /candidate: .* does not stand in cv",
    ),
    "an answer out of range": (
        changed(1, answer={"score": 1000}),
        r"line 2: field 'answer\.score': .*greater than the maximum of 100",
    ),
    "an answer that is not the prose's": (
        changed(1, answer={"score": 7}),
        "line 2: field 'prose': .*score is .* in the prose and 7",
    ),
    "prose that contradicts its own evidence": (
        changed(0, prose=re.sub("Score: [0-9]+", "Score: 7", rows()[0]["prose"])),
        "line 1: field 'prose': the gold prose is not accepted: inconsistent at /score: 7 does not follow: ",
    ),
    "a person in two splits": (
        changed(3, groups=rows()[0]["groups"][:1]),
        "line 4: field 'groups': 'person:.*' is in split 'train' too .line 1.",
    ),
    "a person in two splits, spelt otherwise": (
        changed(3, groups=[rows()[0]["groups"][0].upper() + " "]),
        "line 4: field 'groups': 'PERSON:.*' is in split 'train' too",
    ),
    "a text in two splits": (
        again(3, cv="\nHobby: chess"),
        r"line 4: field 'inputs\.job': the same text is in split 'train' too .line 1.*dataset\.shared",
    ),
    "a text in two splits, laid out otherwise": (
        [{**case, "inputs": {**case["inputs"], "cv": text}} for case, text in zip(again(3), CVS, strict=True)],
        r"line 4: field 'inputs\.cv': the same text",
    ),
    "whole cases in two splits, and no text that stands once": (
        as_one(rows()),
        "line 4: field 'inputs': the same text is in split 'train' too .line 1",
    ),
    "a candidate in two splits, without groups": (
        [{**case, "groups": []} for case in [*rows(), *[{**rows()[0], "id": "again", "split": "test"}]]],
        "line 10: field 'groups': 'person:.*' is in split 'train' too",
    ),
    "an input that is missing": (
        [{**case, "inputs": {"job": case["inputs"]["job"]}} if at == 4 else case for at, case in enumerate(rows())],
        "line 5: field 'inputs': it has the inputs job, expected cv, job",
    ),
    "no groups, and an answer without what they are read from": (
        [{**case, "groups": [], "answer": {}} if at == 4 else case for at, case in enumerate(rows())],
        "line 5: field 'answer': the gold answer does not conform",
    ),
    "a wrong answer among prose in a style of its own": (
        [
            {
                **case,
                "prose": f"In short: {case['prose']}",
                "answer": {**case["answer"], **({"score": 1000} if at == 4 else {})},
            }
            for at, case in enumerate(rows())
        ],
        r"^mine.jsonl, line 5: field 'answer\.score': .*greater than the maximum of 100\.$",
    ),
    "an empty evaluation among prose in a style of its own": (
        [{**case, "prose": "" if at == 4 else f"In short: {case['prose']}"} for at, case in enumerate(rows())],
        r"^mine.jsonl, line 5: field 'prose': the evaluation is empty\.$",
    ),
    "no case of a split": (rows()[:6], "no case of split 'test'"),
    "several faults": (
        [{**case, "level": "x"} for case in rows()],
        "line 1: field 'level'.*; line 2: field 'level'.*; line 3: field 'level'.* And 6 more lines",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED, ids=REFUSED.keys())
def test_a_case_that_does_not_fit_is_refused_with_file_line_and_field(name: str, tmp_path: Path) -> None:
    cases, words = REFUSED[name]
    with pytest.raises(RowError, match=words) as refused:
        load(write(tmp_path, cases))
    assert str(refused.value).startswith("mine.jsonl")


def raw(**changes: str) -> str:
    """The first case as text, with values written as they stand, JSON or not."""
    line = json.dumps(rows()[0])
    for name, value in changes.items():
        before = json.dumps(rows()[0]["answer"][name])
        line = line.replace(f'"{name}": {before}', f'"{name}": {value}')
    return line


TEXTS: dict[str, tuple[str, str]] = {
    "NaN": (raw(score="NaN"), r"line 2: field 'answer\.score' is no finite number"),
    "Infinity": (raw(score="-Infinity"), r"line 2: field 'answer\.score' is no finite number"),
    "a number that overflows": (raw(score="1e999"), r"line 2: field 'answer\.score' is no finite number"),
    "a lone surrogate": (
        raw().replace("Skills", r"Skills\ud800"),
        r"line 2: field 'inputs\.cv' holds a lone surrogate",
    ),
    "a key that stands twice": (raw(score='1, "score": 2'), "line 2: not a line of JSON .the key 'score' stands twice"),
    "half a line": (raw()[:100], "line 2: not a line of JSON"),
    "two objects on a line": (f"{raw()} {raw()}", "line 2: not a line of JSON .Extra data"),
    "an object over several lines": (
        json.dumps(rows()[0], indent=1),
        "line 2: not a line of JSON.*one line of its own",
    ),
    "an array of cases": (f"[{raw()}]", "line 2: expected an object, found an array"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS, ids=TEXTS.keys())
def test_a_line_that_is_no_json_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    text, words = TEXTS[name]
    (tmp_path / "mine.jsonl").write_text(f"{json.dumps(rows()[1])}\n{text}\n")
    with pytest.raises(RowError, match=f"^mine.jsonl, {words}"):
        load(tmp_path / "mine.jsonl")


def _zip(data: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cases.jsonl", data)


FILES: dict[str, tuple[Callable[[bytes, Path], Any], str]] = {
    "gzip": (lambda data, path: path.write_bytes(gzip.compress(data)), "is a gzip file. Unpack it"),
    "bzip2": (lambda data, path: path.write_bytes(bz2.compress(data)), "is a bzip2 file"),
    "xz": (lambda data, path: path.write_bytes(lzma.compress(data)), "is a xz file"),
    "zip": (_zip, "is a zip file"),
    "UTF-16": (lambda data, path: path.write_bytes(data.decode().encode("utf-16")), "is UTF-16, expected UTF-8"),
    "UTF-16 without a mark": (lambda data, path: path.write_bytes(data.decode().encode("utf-16-le")), "zero bytes"),
    "UTF-32": (lambda data, path: path.write_bytes(data.decode().encode("utf-32")), "is UTF-32"),
    "Latin-1": (
        lambda data, path: path.write_bytes(data.replace(b"Skills", b"caf\xe9 Skills", 1)),
        r"line 1: field 'inputs\.cv' is not UTF-8 .byte 0xe9.*Save the file as UTF-8",
    ),
    "Latin-1 on a later line": (
        lambda data, path: path.write_bytes(data[:-400] + data[-400:].replace(b"}", b"\xfc}", 1)),
        "line 9: is not UTF-8 .byte 0xfc",
    ),
    "an array": (
        lambda data, path: path.write_bytes(b"[" + b",".join(data.split(b"\n")[:-1]) + b"]"),
        "begins an array",
    ),
    "nothing": (lambda _, path: path.write_bytes(b""), "no case of split 'train'"),
    "no file": (lambda _, path: None, "dataset.file: there is no file"),
    "a folder": (lambda _, path: path.mkdir(), "dataset.file: there is no file"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES, ids=FILES.keys())
def test_a_file_that_is_no_json_lines_is_refused_by_what_it_is(name: str, tmp_path: Path) -> None:
    make, words = FILES[name]
    make(write(tmp_path, rows(), "sound.jsonl").read_bytes(), tmp_path / "mine.jsonl")
    with pytest.raises(RowError, match=words):
        load(tmp_path / "mine.jsonl")


def test_more_cases_than_the_run_takes_are_refused_with_the_number_to_set(tmp_path: Path) -> None:
    path = write(tmp_path, rows(3))
    with pytest.raises(
        RowError, match=r"holds 3 cases of split 'train', and dataset.train is 2. Set dataset.train = 3"
    ):
        load(path, train=2)
    with pytest.raises(RowError, match=r"dataset.test = 3"):
        load(path, test=1)
    assert len(load(path, train=3, valid=3, test=3).cases["train"]) == 3


def test_an_input_may_be_shared_by_splits_where_the_run_says_so(tmp_path: Path) -> None:
    """If nearly every job occurs once, a job identifies its case; one job for every CV says nothing of the answer."""
    one_job = as_one(rows())
    for at, case in enumerate(one_job):
        case["inputs"]["cv"] += f"\nNumber {at}"
    assert load(write(tmp_path, one_job))
    path = write(tmp_path, again(3, cv="\nHobby: chess"))
    assert load(path, shared=("job",))
    with pytest.raises(InputError, match=r"dataset.shared: task 'cv' has no input 'jobs'; there are: cv, job"):
        splits.check(CV, config.Dataset(file=str(path), shared=("jobs",)))


def test_the_level_of_ones_own_cases_is_their_own(tmp_path: Path) -> None:
    """Figures are of the level that was trained: a run that names none means the cases'."""
    cases = [case for split in SPLITS for case in CV.generate("junior", split, 3, 3)]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(case.to_json() + "\n" for case in cases))
    assert splits.check(CV, config.Dataset(file=str(path))).level == "junior"


def test_prose_in_a_style_of_its_own_is_trained_as_it_is(tmp_path: Path) -> None:
    """No evaluation of the file is in the task's form, each is recognised in part: that is a style, and is said."""
    cases = [{**case, "prose": f"In short: {case['prose']}"} for case in rows(4)]
    path = write(tmp_path, cases)
    checked = load(path)
    assert checked.own_style == 12
    assert "style of their own" in checked.notice
    splits.write(CV, config.Dataset(file=str(path), random_schemas=0), {}, tmp_path, lambda *_: None)
    for role in ("evaluator", "formatter"):
        text = (tmp_path / f"{role}-train.jsonl").read_text(encoding="utf-8")
        assert text.count("In short: ") == 4
    assert json.loads((tmp_path / "dataset.json").read_text())["own_style"] == 12


def test_ones_own_prose_is_trained_unless_carelessness_is_asked_for(tmp_path: Path) -> None:
    cases = rows(20)
    path = write(tmp_path, cases)

    def completions(**knobs: Any) -> list[str]:
        splits.write(CV, config.Dataset(file=str(path), **knobs), {}, tmp_path, lambda *_: None)
        lines = (tmp_path / "evaluator-train.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line)["completion"] for line in lines]

    prose = [case["prose"] for case in cases if case["split"] == "train"]
    assert completions() == prose
    careless = completions(annotations="careless")
    assert sum(a == b for a, b in zip(prose, careless, strict=True)) < 15


@pytest.mark.parametrize("parent", ["small", "smollm2", "default"])
def test_a_run_that_extends_a_careless_one_trains_ones_own_prose_all_the_same(parent: str, tmp_path: Path) -> None:
    """Carelessness is asked for beside the file, by name; it is not inherited by cases that somebody brings."""
    file = write(tmp_path, rows(20))
    head = f'extends = "{parent}"\nname = "mine"\n[dataset]\n'
    mine = config.parse(f'{head}file = "{file}"\n')
    assert mine.dataset.annotations == "clean"
    further = tmp_path / "mine.toml"
    further.write_text(f'{head}file = "{file}"\n')
    assert config.parse(f'extends = "{further}"\nname = "more"\n').dataset.annotations == "clean"
    asked = config.parse(f'{head}file = "{file}"\nannotations = "careless"\n')
    assert asked.dataset.annotations == "careless"
    generated = config.parse(f"{head}train = 9\n")
    assert generated.dataset.annotations == config.load(parent).dataset.annotations


def test_only_the_runs_that_show_what_carelessness_costs_ask_for_it() -> None:
    asks = {name: config.load(name).dataset.annotations for name in config.shipped()}
    assert asks == {
        "default": "clean",
        "own": "clean",
        "small": "careless",
        "smollm2": "careless",
        "smollm2-real": "clean",
    }
