"""Bundles: one digest over everything, and no file beside it."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from proseform import bundle, digest
from proseform.abstention import fitted
from proseform.bundle import Generation, Part
from proseform.errors import StoreError, TaskError
from proseform.infer.answer import agree
from proseform.testing import toy_bundle, toy_task

CASES = [{"parcel": f"a wool hat, {grams} g", "rule": f"at most {grams} g"} for grams in range(100, 160)]
ABSTENTION = fitted(CASES, CASES, 0.02)


@pytest.fixture
def folder(tmp_path):
    """A bundle of three small folders: a base and two adapters."""
    for name in ("base", "evaluator", "formatter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.bin").write_text(f"the {name}'s weights")
    task = toy_task()
    base = {"base": "base", "base_digest": digest.of_files(tmp_path / "base")}
    parts = {
        role: Part(
            prompt=prompt,
            generation=Generation(9, 64),
            adapter=role,
            adapter_digest=digest.of_files(tmp_path / role),
            **base,
        )
        for role, prompt in (("evaluator", task.evaluator), ("formatter", task.formatter))
    }
    toy_bundle(task, **parts).write(tmp_path)
    return tmp_path


def test_a_bundle_comes_back_from_its_folder(folder):
    stored = bundle.read(folder)
    assert stored.task == "toy"
    assert stored.parts["formatter"].prompt == toy_task().formatter
    assert stored.compiled().digest == toy_task().schema.digest


def test_the_digest_is_the_same_wherever_the_folder_lies(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "place"
    folder.rename(other)
    assert bundle.read(other).digest == json.loads((other / "bundle.json").read_text())["digest"]


@pytest.mark.parametrize(
    "change",
    [
        {"task": "other"},
        {"task_contract": digest.of_json(1)},
        {"schema": {"const": 1}},
        {"settings": {"dtype": "bfloat16"}},
        {"tokenisation": ""},
        {"abstention": ABSTENTION},
        {"abstention": replace(ABSTENTION, bound=9.0)},
        {"evaluator": Part("base", digest.of_json(1), toy_task().evaluator, Generation(9, 64))},
        {"formatter": replace(toy_bundle(toy_task()).formatter, generation=Generation(10, 2048))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_covers(change):
    whole = toy_bundle(toy_task())
    assert replace(whole, **change).digest != whole.digest


def test_a_bundle_says_that_a_model_is_an_encoder_decoder_and_is_else_written_as_before(folder):
    """Earlier versions refuse format 3 in words; what they can serve stays in the format that they read."""
    causal = json.loads((folder / "bundle.json").read_text())
    assert causal["format"] == 2
    assert all("kind" not in causal[role] for role in bundle.ROLES)
    whole = bundle.read(folder)
    replace(whole, formatter=replace(whole.formatter, kind="seq2seq")).write(folder)
    raw, stored = json.loads((folder / "bundle.json").read_text()), bundle.read(folder)
    assert (raw["format"], raw["formatter"]["kind"], stored.encoder_decoders) == (3, "seq2seq", ["formatter"])
    assert stored.format == 3
    assert stored.digest == raw["digest"] != whole.digest
    raw["formatter"]["kind"] = "diffusion"
    (folder / "bundle.json").write_text(json.dumps(raw))
    with pytest.raises(StoreError, match="its kind of model is 'diffusion'; known are causal and seq2seq"):
        bundle.read(folder)


def test_common_words_need_a_later_format_and_a_bundle_without_them_none(folder):
    whole = bundle.read(folder)
    words = [{"letter": f"Dear {name}, two cups please"} for name in ("Ann", "Bob", "Cy", "Dee", "Eve") * 20]
    known = fitted(words, words, 0.02)
    replace(whole, abstention=known).write(folder)
    raw, stored = json.loads((folder / "bundle.json").read_text()), bundle.read(folder)
    assert raw["format"] == stored.format == 4
    assert stored.abstention == known
    assert stored.digest == raw["digest"]
    before = replace(known.inputs["letter"], common="", means=(0.0,) * 4, spreads=(1.0,) * 4)
    replace(whole, abstention=replace(known, inputs={"letter": before})).write(folder)
    raw = json.loads((folder / "bundle.json").read_text())
    assert raw["format"] == 2
    assert "common" not in raw["abstention"]["inputs"]["letter"]
    assert bundle.read(folder).digest == raw["digest"]


def test_the_form_of_evaluations_needs_a_later_format_and_a_bundle_without_one_none(folder):
    whole = bundle.read(folder)
    assert "grammar" not in json.loads((folder / "bundle.json").read_text())["evaluator"]
    held = replace(whole, evaluator=replace(whole.evaluator, grammar='start: "A note."'))
    assert held.digest != whole.digest
    held.write(folder)
    raw, stored = json.loads((folder / "bundle.json").read_text()), bundle.read(folder)
    assert raw["format"] == stored.format == 5
    assert stored.evaluator.grammar == 'start: "A note."'
    assert stored.digest == raw["digest"] == held.digest


def test_swapping_the_roles_is_another_bundle():
    """A pair can never be mixed."""
    whole = toy_bundle(toy_task())
    assert replace(whole, evaluator=whole.formatter, formatter=whole.evaluator).digest != whole.digest


def altered(**changes):
    """A manifest with changes, its digest as it was."""

    def change(folder):
        raw = json.loads((folder / "bundle.json").read_text())
        (folder / "bundle.json").write_text(json.dumps({**raw, **changes}))

    return change


REFUSED = [
    (lambda folder: (folder / "bundle.json").unlink(), "no bundle here", "no manifest"),
    (lambda folder: (folder / "bundle.json").write_text("{"), "not a bundle manifest", "a manifest that was cut"),
    (lambda folder: (folder / "bundle.json").write_text("3"), "not a bundle manifest", "a number"),
    (lambda folder: (folder / "bundle.json").write_text("[]"), "not a bundle manifest", "a list"),
    (lambda folder: (folder / "bundle.json").write_text("{}"), "not a bundle manifest", "an empty object"),
    (lambda folder: (folder / "bundle.json").write_bytes(b"\xff\xfe"), "not a bundle manifest", "no text"),
    (altered(task="other"), "was altered", "another task"),
    (altered(schema={}), "was altered", "another schema"),
    (altered(more=1), "not a bundle manifest", "a field that nobody reads"),
    (
        altered(tokenisation="segments/2"),
        "tokenisation is 'segments/2', this Proseform knows 'segments/1'",
        "a later one",
    ),
    (altered(evaluator={}), "not a bundle manifest", "an empty part"),
    (lambda folder: (folder / "formatter" / "weights.bin").write_text("x"), "names (weights.bin)", "other weights"),
    (lambda folder: (folder / "evaluator" / "more.bin").write_text("x"), "names (more.bin)", "a file too many"),
    (
        lambda folder: (folder / "base" / "weights.bin").unlink(),
        "base: the evaluator's files are not those that the bundle names (weights.bin)",
        "a file too few",
    ),
]


@pytest.mark.parametrize(("change", "words", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_refused_and_why(folder, change, words, why):
    change(folder)
    with pytest.raises(StoreError) as caught:
        bundle.read(folder)
    assert words in str(caught.value)


@pytest.mark.parametrize("place", ["../outside", "/etc", "base/../../outside"])
def test_a_part_outside_of_the_bundle_is_refused_even_if_its_digest_is_right(folder, place):
    whole = bundle.read(folder)
    replace(whole, formatter=replace(whole.formatter, base=place)).write(folder)
    with pytest.raises(StoreError, match="lies outside"):
        bundle.read(folder)


FIXTURES = Path(__file__).parent / "fixtures" / "bundles"


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_bundles_of_every_format_are_read_with_their_own_digest(name):
    """Each fixture was written by the version that wrote its format."""
    stored = bundle.read(FIXTURES / name)
    assert stored.format == int(name[0])
    assert stored.digest == json.loads((FIXTURES / name / "bundle.json").read_text())["digest"]
    assert stored.evaluator.generation.max_tokens == 48
    assert bool(stored.bases) == name.endswith("adapters")
    assert stored.compiled().fields == ("verdict", "grams", "note")
    assert bool(stored.tokenisation) == (stored.format > 1)  # not stated yet by those that came before
    assert (stored.abstention is not None) == (stored.format > 1)


def test_a_bundle_of_format_0_agrees_with_the_very_folder_it_was_made_from():
    """It states one digest for a task, from which an unchanged contract cannot be told."""
    stored = bundle.read(FIXTURES / "0-whole")
    same = replace(toy_task(), whole=stored.task_contract)
    agree(stored, same)
    with pytest.raises(TaskError, match="was made for task 'toy'"):
        agree(stored, toy_task())


def test_a_bundle_agrees_by_the_contract_alone():
    """A typo in a README refuses no champion."""
    stored = toy_bundle(toy_task())
    agree(stored, replace(toy_task(), data=digest.of_json("other")))
    with pytest.raises(TaskError, match="was made for task 'toy'"):
        agree(stored, replace(toy_task(), contract=digest.of_json("other")))


@pytest.mark.parametrize("number", [6, -1, "1", None, 1.5, [], {}])
def test_an_unknown_format_is_refused_in_words(folder, number):
    raw = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**raw, "format": number}))
    with pytest.raises(StoreError, match=r"a bundle of format .*; this Proseform reads formats 0 to 5"):
        bundle.read(folder)


def test_a_field_with_a_default_that_comes_later_changes_no_digest(folder):
    """The digest is over the manifest's JSON as it is stored, so a part that lacks the newest field keeps its own."""
    raw = json.loads((folder / "bundle.json").read_text())
    del raw["evaluator"]["generation"]["retry_temperature"], raw["digest"]
    stated = digest.of_json({key: value for key, value in raw.items() if key not in {"files", "task_data"}})
    (folder / "bundle.json").write_text(json.dumps({"digest": stated, **raw}))
    assert bundle.read(folder).digest == stated
    assert bundle.read(folder).evaluator.generation.retry_temperature == 0.7


def test_what_was_read_is_written_as_it_was(folder, tmp_path_factory):
    stored = bundle.read(FIXTURES / "0-adapters")
    copy = tmp_path_factory.mktemp("copy") / "bundle"
    shutil.copytree(FIXTURES / "0-adapters", copy)
    stored.write(copy)
    assert bundle.read(copy) == stored
    assert bundle.read(copy).digest == stored.digest
    assert replace(stored, task="other").digest != stored.digest


def test_files_are_left_alone_where_nobody_asks(folder):
    (folder / "base" / "weights.bin").unlink()
    assert bundle.read(folder, check_files=False).task == "toy"


def test_a_bundle_knows_from_which_cases_it_abstains(folder):
    replace(bundle.read(folder), abstention=ABSTENTION).write(folder)
    stored = bundle.read(folder)
    assert stored.abstention == ABSTENTION
    assert bundle.of(json.loads(json.dumps(stored.document))).digest == stored.digest
    assert stored.abstention.strange({"parcel": "Fold in the eggs.", "rule": "at most 120 g"})


@pytest.mark.parametrize(
    "stated",
    [{}, [], 3, {"inputs": {}, "bound": 1.0}, {**asdict(ABSTENTION), "inputs": {"parcel": {"words": "§"}}}],
)
def test_what_is_no_abstention_is_no_manifest(folder, stated):
    raw = {**json.loads((folder / "bundle.json").read_text()), "abstention": stated}
    (folder / "bundle.json").write_text(json.dumps(raw))
    with pytest.raises(StoreError, match="not a bundle manifest"):
        bundle.read(folder)
