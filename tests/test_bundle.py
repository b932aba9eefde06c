"""Bundles: one digest over everything, and no file that is not of it."""

import json
from dataclasses import replace

import pytest

from proseform import bundle, digest
from proseform.bundle import Generation, Part
from proseform.errors import StoreError
from proseform.testing import toy_bundle, toy_task


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
    found = bundle.read(folder)
    assert found.task == "toy"
    assert found.parts["formatter"].prompt == toy_task().formatter
    assert found.compiled().digest == toy_task().schema.digest


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
        {"evaluator": Part("base", digest.of_json(1), toy_task().evaluator, Generation(9, 64))},
        {"formatter": replace(toy_bundle(toy_task()).formatter, generation=Generation(10, 2048))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_covers(change):
    whole = toy_bundle(toy_task())
    assert replace(whole, **change).digest != whole.digest


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
    (altered(evaluator={}), "not a bundle manifest", "an empty part"),
    (lambda folder: (folder / "formatter" / "weights.bin").write_text("x"), "the formatter's files", "other weights"),
    (lambda folder: (folder / "evaluator" / "more.bin").write_text("x"), "the evaluator's files", "a file too many"),
    (lambda folder: (folder / "base" / "weights.bin").unlink(), "base: the evaluator's files", "a file too few"),
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


def test_files_are_left_alone_where_nobody_asks(folder):
    (folder / "base" / "weights.bin").unlink()
    assert bundle.read(folder, check_files=False).task == "toy"
