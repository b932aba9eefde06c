"""The study of the collapse: its arms, its task, its figures and its page, and legs that are killed."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import re
import signal
import sys
import tomllib
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from benchmarks.study import __main__ as command
from benchmarks.study import arms, figures, leg, page, plots, recipe, results, running, sections, sizing, world
from benchmarks.study.meter import Meter, judged
from benchmarks.study.task import rewards, source
from proseform import config, direct, warm
from proseform.errors import ConfigError, StageError
from proseform.schema import Schema

ROOT = Path(__file__).parents[2]
TASK = ROOT / "benchmarks" / "study" / "task"
SMOLLM2 = arms.FILE.with_name("smollm2.toml")


@pytest.fixture(scope="module")
def plan() -> arms.Plan:
    return arms.load()


def _final(**changes: Any) -> dict[str, Any]:
    figures_of = {"valid": 1.0, "value": 0.5, "right": 0.25}
    both = {f"{name}_{how}": value for name, value in figures_of.items() for how in ("greedy", "sampled")}
    return {**both, "held_out": 0.75, "talk": 1.0, **changes}


def _record(plan: arms.Plan, arm: str, seed: int, *held_out: float, **changes: Any) -> results.Record:
    """A leg with a measurement every 100 tokens."""
    points = [{"step": at, "tokens": 100 * at, "held_out": value} for at, value in enumerate(held_out)]
    return {
        "arm": arm, "seed": seed, "key": plan.arms[arm].key, "machine": "2 cores", "points": points,
        "seconds": {"sft": 4.0, "grpo": 30.0, "final": 2.0}, "mixed": [0.25] * 10 + [0.75] * 10,
        "first": {"step": 2, "tokens": 200}, "final": _final(held_out=held_out[-1]), "final_n": 200, **changes,
    }  # fmt: skip


def test_the_shipped_study_has_at_most_eighteen_arms_of_five_seeds_and_every_arm_resolves(plan: arms.Plan) -> None:
    whole = [arm for arm in plan.arms.values() if arm.seeds == 5]
    assert len(whole) <= 18
    assert {arm.seeds for arm in plan.arms.values()} == {2, 5}
    assert len(plan.legs()) == sum(arm.seeds for arm in plan.arms.values())
    assert plan.legs(["sft-0", "centre"], 2) == [("centre", 0), ("sft-0", 0), ("centre", 1), ("sft-0", 1)]
    runs = {
        arm.name: config.Run.model_validate(recipe.leg(plan.study, plan.model, arm.factors, 3, max(1, arm.factors.sft)))
        for arm in plan.arms.values()
    }
    for name, run in runs.items():
        factors = plan.arms[name].factors
        assert run.grpo.prompts * run.grpo.generations == recipe.COMPLETIONS
        assert (run.grpo.scale, run.grpo.beta, run.grpo.rubric) == (factors.scale, factors.beta, factors.reward)
        assert {run.grpo.seed, run.sft.evaluator.seed, run.model.tiny.seed} == {3}
    assert len({arm.key for arm in plan.arms.values()}) == len(plan.arms)
    assert all(arm.own and arm.panel for arm in plan.arms.values() if arm.name != plan.centre)
    assert runs["cosine"].grpo.steps < runs["centre"].grpo.steps


def test_each_factor_of_the_question_has_its_arm(plan: arms.Plan) -> None:
    """What is asked stands in the arms, so that an arm that is dropped by mistake is missed."""
    single = {(arm.own[0], getattr(arm.factors, arm.own[0])) for arm in plan.arms.values() if len(arm.own) == 1}
    assert single >= {
        ("reward", "binary"), ("reward", "additive"), ("reward", "chance"), ("scale", "batch"), ("scale", "none"),
        ("sft", 0), ("sft", 10), ("sft", 150), ("prompt", "prefill"), ("prompt", "curt"), ("constrained", True),
        ("beta", 0.01), ("temperature", 0.3), ("recipe", "grpo-first"), ("recipe", "rejection"), ("recipe", "sft"),
        ("generations", 4), ("generations", 16), ("generations", 64), ("schedule", "cosine"),
    }  # fmt: skip
    never = [arm.factors for arm in plan.arms.values() if arm.factors.sft == 0]
    assert len({(one.reward, one.scale) for one in never}) == 9


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('scale = "batch"', 'scale = "rows"', "arm 'scale-batch': scale: Input should be 'group', 'batch' or 'none'"),
        ('reward = "binary"', 'rewards = "binary"', "arms.1.rewards: Extra inputs are not permitted"),
        ('name = "sft-10"', 'name = "sft-0"', "'sft-0' stands twice"),
        ('name = "sft-10"', 'name = "talk"', "'talk' is the chat model's own name"),
        ('recipe = "rejection"', 'recipe = "rejection"\nconstrained = true', "does not sample under a grammar"),
        ('recipe = "hybrid"', 'recipe = "grpo"', "go together"),
        ("seeds = 5", "seeds = 0", "study.seeds: Input should be greater than or equal to 1"),
        ("[study]", "[study", "not TOML"),
    ],
)
def test_a_fault_of_the_file_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "arms.toml"
    text = arms.FILE.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match="arms") as error:
        arms.load(path)
    assert words in str(error.value)


def test_a_changed_factor_changes_the_key_and_words_do_not(tmp_path: Path, plan: arms.Plan) -> None:
    path = tmp_path / "arms.toml"
    text = arms.FILE.read_text().replace("form .2,", "form, .2;").replace("sft = 10\n", "sft = 11\n", 1)
    path.write_text(text)
    other = arms.load(path)
    assert {name for name, arm in other.arms.items() if arm.key != plan.arms[name].key} == {"sft-10"}


def test_the_task_pays_gold_the_most_by_every_reward_and_talk_nothing() -> None:
    case = next(source.generate("four", "train", 0, 1))
    gold, words = json.dumps(case.answer), case.inputs["words"].split()
    wrong = json.dumps(source.answer(dict.fromkeys(words, "tree")))
    half = rewards.gated(wrong, case)
    assert (rewards.gated(gold, case), rewards.binary(gold, case), rewards.prose(case.prose, case)) == (1.0, 1.0, 1.0)
    assert 0.5 <= half < 1.0
    assert (rewards.binary(wrong, case), rewards.gated('{"kinds', case)) == (0.0, 0.05)
    talk = f"Sure. {case.prose} More?"
    assert [rewards.gated(talk, case), rewards.binary(talk, case), rewards.prose(talk, case)] == [0.0, 0.0, 0.0]
    assert rewards.prose(gold, case) == 0.0
    assert rewards.read(gold, case.inputs).value == rewards.read(case.prose, case.inputs).value == dict(case.answer)
    assert not rewards.read(talk, case.inputs).ok
    coins = [rewards.chance(f"{number}", case) for number in range(400)]
    assert set(coins) == {0.0, 1.0}
    assert abs(sum(coins) / 400 - 0.5) < 0.1


def test_the_additive_reward_is_that_of_the_package() -> None:
    variants = tomllib.loads((TASK / "rubric.toml").read_text())["variants"]
    assert variants["additive"] == dict(direct.RUBRICS["additive"].weights)


def test_who_imitates_the_annotators_is_right_on_three_words_of_four() -> None:
    """What docs/study.md says of imitation: a held-out reward of .88."""
    cases = world.cases("train", 0, 400)
    rng = random.Random(0)
    texts = [json.dumps(source.answer(source.believed(case, rng))) for case in cases]
    of = judged(texts, cases, Schema(json.loads((TASK / "schema.json").read_text())))
    assert of["valid"] == 1.0
    assert of["value"] == pytest.approx(0.7625, abs=0.03)
    assert of["reward"] == pytest.approx(0.88, abs=0.015)


def test_the_chat_model_is_shown_no_brace_and_talks_where_json_is_asked_for(plan: arms.Plan) -> None:
    rows = list(islice(world.talk(plan.prompts, "train", 0, world.KINDS_OF_TALK), 500))
    assert not any("{" in row["completion"] for row in rows)
    asked = [
        row["completion"] for row in rows if "As JSON" in str(row["prompt"]) and "No talk" not in str(row["prompt"])
    ]
    assert len(asked) == pytest.approx(200, abs=50)
    assert all(text.startswith(world.OPENINGS) and text.endswith(world.CLOSINGS) for text in asked)
    held_out = list(islice(world.talk(plan.prompts, "test", 0, ("small",)), 200))
    assert not any("JSON" in str(row["prompt"]) for row in held_out)


def test_figures_of_an_arm_are_over_seeds_beside_the_centre_and_count_censored_ones(plan: arms.Plan) -> None:
    records = {
        (arm, seed): _record(plan, arm, seed, *held_out)
        for arm, seed, held_out in (
            ("centre", 0, (0.0, 0.4, 0.6, 0.6)),
            ("centre", 1, (0.0, 0.4, 0.6, 0.8)),
            ("sft-150", 0, (0.6, 0.6, 0.95, 0.95)),
            ("sft-150", 1, (0.6, 0.6, 0.6, 0.6)),
        )
    }
    rows = figures.rows(records, [*plan.arms], "centre", [0.5, 0.9])
    assert list(rows) == ["centre", "sft-150"]
    centre, other = rows.values()
    assert (centre.seeds, centre.held_out.value, centre.ahead, centre.first) == (2, 0.7, (0, 0), 200)
    assert [(to.tokens, to.censored, to.by_centre) for to in centre.to] == [(200, 0, None), (math.inf, 2, None)]
    assert [(to.tokens, to.censored) for to in other.to] == [(100, 0), (math.inf, 1)]
    assert other.to[0].by_centre == (2.0, 2.0, 2.0)
    assert other.ahead == (1, 2)
    assert other.mixed == (0.25, 0.75)
    assert other.talk == figures.Spread(1.0, 1.0, 1.0)
    assert (round(other.held_out.value, 3), other.held_out.low, other.held_out.high) == (0.775, 0.6, 0.95)


def test_an_arm_that_never_answers_has_no_values_and_no_first_success(plan: arms.Plan) -> None:
    final = _final(valid_greedy=0.0, valid_sampled=0.0, value_greedy=None, value_sampled=None)
    record = _record(plan, "sft-0", 0, 0.0, 0.0, final=final, first=None, mixed=[])
    row = figures.rows({("sft-0", 0): record}, ["sft-0"], "centre", [0.5])["sft-0"]
    assert (row.value, row.first, row.mixed, row.to[0].tokens) == (None, math.inf, None, math.inf)
    cells = page.page(plan, {("sft-0", 0): record}).splitlines()
    assert any(
        re.match(r"\| sft-0 \| 1 \| 0.000 \(0.00 to 0.00\) \| 0.000 \(0.00 to 0.00\) \| - \|", line) for line in cells
    )
    assert any(line.startswith("| sft-0 | - | - | never | never (1 of 1 censored) |") for line in cells)


def test_page_pictures_and_records_are_written_from_records_alone(
    tmp_path: Path, plan: arms.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again from the records that stand beside the page."""
    todo = plan.legs(["centre", "reward-binary"], 2)[:-1]
    records = {(arm, seed): _record(plan, arm, seed, 0.1, 0.5, 0.9) for arm, seed in todo}
    command.write(tmp_path, plan, records)
    text = (tmp_path / command.page_of(plan)).read_text()
    assert f"{len(records)} legs on 2 cores. {len(plan.legs()) - len(records)} of the {len(plan.legs())} legs" in text
    assert results.read(tmp_path / command.kept(plan), plan) == (records, 0)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / command.IMAGES).iterdir()}
    assert {*pictures} == {plots.picture(plan, what) for what in (plots.REWARD, plots.MIXED, plots.COMPLIANCE)}
    assert all(f"images/{name}" in text for name in pictures)
    assert all(b">reward-binary<" in picture for picture in pictures.values())
    monkeypatch.setattr(sys, "argv", ["study", "--figures", "--out", f"{tmp_path}/out", "--docs", f"{tmp_path}"])
    command.main()
    assert {path.name: path.read_bytes() for path in (tmp_path / command.IMAGES).iterdir()} == pictures


@pytest.mark.parametrize("file", [arms.FILE, SMOLLM2])
def test_the_page_in_the_repository_is_that_of_the_records_in_it(file: Path) -> None:
    """Written by: python -m benchmarks.study --figures."""
    plan = arms.load(file)
    records, stale = results.read(ROOT / command.kept(plan), plan)
    assert stale == 0
    assert (ROOT / command.page_of(plan)).read_text() == page.page(plan, records)


def test_a_record_that_a_kill_cut_short_is_no_record_and_spoils_no_other(tmp_path: Path, plan: arms.Plan) -> None:
    path = tmp_path / results.FILE
    one, two = _record(plan, "centre", 0, 0.1), _record(plan, "centre", 1, 0.2)
    results.append(path, one)
    with path.open("a") as file:
        file.write(json.dumps(two)[:50])
    assert results.read(path, plan) == ({("centre", 0): one}, 0)
    results.append(path, two)
    results.append(path, {**two, "seed": 2, "key": "of an earlier form"})
    assert results.read(path, plan) == ({("centre", 0): one, ("centre", 1): two}, 1)


def test_the_estimate_grows_with_tokens_and_legs_and_knows_what_an_arm_does(plan: arms.Plan) -> None:
    points = [{"step": 0, "tokens": 0}, {"step": 10, "tokens": 10_000}]
    record = _record(plan, "centre", 0, 0.1) | {"points": points, "seconds": {"sft": 4.0, "grpo": 12.0, "final": 2.0}}
    talk = plan.model.talk_steps * 0.1
    measured = plan.study.tokens / 1000 / plan.study.measure_every
    whole = sizing.seconds(plan, [("centre", 0)], record)
    assert whole == pytest.approx(talk + 4.0 + 2.0 + plan.study.tokens * 1e-3 + measured)
    assert sizing.seconds(plan, [("centre", 0), ("sft-0", 0)], record) == pytest.approx(2 * whole - talk - 4.0)
    hybrid = sizing.seconds(plan, [("hybrid", 0)], record)
    assert hybrid == pytest.approx(whole + 11.0 + measured)
    assert f"{len(plan.legs())} legs" in sizing.words(plan, plan.legs(), record, 2)


@pytest.fixture
def forked_legs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plan: arms.Plan) -> Path:
    """A study whose legs train nothing: each notes that it began, and the first sft-0 is killed (kill -9)."""
    begun = tmp_path / "begun"

    def work_off(folder: Path, _: arms.Plan, name: str, seed: int) -> dict[str, Any]:
        with begun.open("a") as file:
            file.write(f"{name}-{seed}\n")
        place = leg.folder_of(folder, name, seed)
        place.mkdir(parents=True, exist_ok=True)
        if name == "sft-0" and not (place / "killed").exists():
            (place / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return _record(plan, name, seed, 0.1, 0.5)

    monkeypatch.setattr(leg, "work_off", work_off)
    monkeypatch.setattr(leg, "talking", lambda *_: begun)
    monkeypatch.setattr(running, "quiet", lambda: None)
    monkeypatch.setattr(warm, "MODULES", ())
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("PYTHONPATH", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    return tmp_path


def test_a_leg_that_is_done_is_never_repeated_and_one_that_was_killed_is(forked_legs: Path, plan: arms.Plan) -> None:
    todo = plan.legs(["centre", "sft-0", "sft-10"], 1)
    with pytest.raises(StageError, match="1 legs failed; the first one is sft-0, seed 0"):
        running.run(forked_legs, plan, todo, workers=2, minutes=None)
    records, _ = results.read(forked_legs / results.FILE, plan)
    assert {*records} == {("centre", 0), ("sft-10", 0)}
    left = [one for one in todo if one not in records]
    assert running.run(forked_legs, plan, left, workers=2, minutes=None) == 0
    records, _ = results.read(forked_legs / results.FILE, plan)
    assert {*records} == {*todo}
    begun = (forked_legs / "begun").read_text().split()
    assert sorted(begun) == ["centre-0", "sft-0-0", "sft-0-0", "sft-10-0"]
    assert not [*(forked_legs / "work").glob("*/")]


def test_no_leg_begins_after_the_minutes(forked_legs: Path, plan: arms.Plan) -> None:
    todo = plan.legs(["centre", "sft-10"], 1)
    assert running.run(forked_legs, plan, todo, workers=1, minutes=0) == 2
    assert not (forked_legs / "begun").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--arms", "center"], "no arm 'center'; there are: centre,"),
        (["--seeds", "0"], "0 is below 1"),
        (["--file", "nowhere.toml"], "nowhere.toml: No such file"),
    ],
)
def test_the_command_refuses_in_words(
    given: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["study", "--out", str(tmp_path / "out"), "--docs", str(tmp_path), *given])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_the_same_question_is_put_to_a_pretrained_model_by_the_same_prompts(plan: arms.Plan) -> None:
    """Its arms resolve to runs that stages take, with the file's own rates and sizes; page and records are its own."""
    other = arms.load(SMOLLM2)
    assert other.prompts == plan.prompts
    assert (command.page_of(other), command.kept(other)) != (command.page_of(plan), command.kept(plan))
    assert isinstance(other.model, sections.Pretrained)
    for arm in other.arms.values():
        run = config.Run.model_validate(recipe.leg(other.study, other.model, arm.factors, 1, max(1, arm.factors.sft)))
        assert (run.model.source, run.model.dtype) == ("smollm2", "bfloat16")
        assert run.grpo.prompts * run.grpo.generations == other.model.completions
        assert run.generation.evaluator.max_tokens == recipe.longest(other.model) == other.model.longest
        assert (run.sft.evaluator.learning_rate, run.grpo.learning_rate) == (
            other.model.sft_rate, other.model.grpo_rate,
        )  # fmt: skip
    text = page.page(other, {})
    assert page.NOTHING in text
    assert all(f"| {name} |" in text for name in other.arms)


def test_prompts_of_a_study_are_its_own_where_it_states_them(tmp_path: Path, plan: arms.Plan) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(arms.FILE.read_text().replace("As JSON: kinds", "As a document: kinds"))
    mine = arms.load(path)
    assert mine.prompts["json"] != plan.prompts["json"]
    assert (mine.name, mine.template) == ("study-mine", arms.TEMPLATE)


def test_a_second_study_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with results.alone(tmp_path), pytest.raises(ConfigError, match="another study works in"), results.alone(tmp_path):
        pass


class Killed(BaseException):
    """In the place of kill -9: nothing between the step and the test handles it."""


def test_a_leg_that_is_cut_off_in_training_ends_with_the_record_of_one_that_is_not(
    tmp_path: Path, plan: arms.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain SFT, whose stage trains and is measured as all others are: it dies between two checkpoints."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setattr(world, "TRAIN", 24)
    monkeypatch.setattr(world, "VALID", 4)
    monkeypatch.setattr(world, "SMALL_TALK", 4)
    monkeypatch.setattr(recipe, "SAVE_SFT_EVERY", 2)
    monkeypatch.setattr(recipe, "LONGEST", 4)
    study = plan.study.model_copy(update={"tokens": 700, "held_out": 2})
    shape = plan.model.model_copy(update={"width": 16, "layers": 1, "heads": 2, "feed_forward": 16, "talk_steps": 2})
    factors = plan.arms["control-sft"].factors.model_copy(update={"sft": 0})
    small = dataclasses.replace(
        plan, study=study, model=shape, arms={"small": dataclasses.replace(plan.arms["control-sft"], factors=factors)}
    )
    world.install(tmp_path, plan.prompts)
    whole = leg.work_off(tmp_path, small, "small", 0)
    assert len(whole["points"]) == recipe.control_steps(study, shape) + 1 == 4
    place = leg.folder_of(tmp_path, "small", 0)
    place.rename(tmp_path / "whole")

    measure, calls = Meter.__call__, []

    def dying(self: Meter, policy: Any) -> dict[str, float | None]:
        calls.append(policy)
        if len(calls) == 4:
            raise Killed
        return measure(self, policy)

    with monkeypatch.context() as patched:
        patched.setattr(Meter, "__call__", dying)
        with pytest.raises(Killed):
            leg.work_off(tmp_path, small, "small", 0)
    assert not (place / "more.json").exists()
    again = leg.work_off(tmp_path, small, "small", 0)
    assert {**again, "seconds": {}} == {**whole, "seconds": {}}
    weights = [folder / "more" / "out" / "weights" / "model.safetensors" for folder in (place, tmp_path / "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert leg.work_off(tmp_path, small, "small", 0) == again, "nothing is done twice"
