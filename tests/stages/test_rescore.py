"""Recorded completions scored again: explained, or replayed under another reward."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from proseform import config, digest, records, reward, rollouts, task
from proseform.errors import ConfigError, InputError, RowError, StoreError
from proseform.outcome import Outcome, judged_prose
from proseform.rollouts import About, Rollout
from proseform.stages import rescore
from proseform.store import Store

CV = task.load("cv")
CASES = list(CV.generate("starter", "train", 0, 4))
RUBRIC = CV.rubric()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset's reference."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "cases-train.jsonl").write_text("".join(f"{case.to_json()}\n" for case in CASES))
    return f"{folder}#{digest.of_files(folder)}"


@pytest.fixture
def recorded(tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the rollouts of two steps of two groups, one of which is dead."""
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    rng, rows = random.Random(0), []
    for step in (1, 2):
        for place in range(4):
            case = CASES[place // 2 + step - 1]
            text = case.prose if place < 2 else CV.annotate(case, rng)[: 150 if place == 2 else None]
            score = reward.score(text, case, CV, RUBRIC)
            rows.append(Rollout(step, place // 2, place, 60, case.id, text, "", score.composite, score.terms))
    rollouts.write(tmp_path / rollouts.FILE, rows, About("cv", RUBRIC, dataset, 2))
    return tmp_path


def test_rollouts_come_back_as_they_were_written_in_order(recorded: Path, tmp_path: Path) -> None:
    about, rows = rollouts.read(recorded / rollouts.FILE)
    assert (about.rubric, about.generations) == (RUBRIC, 2)
    rollouts.write(tmp_path / "again.parquet", reversed(rows), about)
    assert (tmp_path / "again.parquet").read_bytes() == (recorded / rollouts.FILE).read_bytes()


def test_under_the_same_reward_a_replay_changes_nothing(recorded: Path) -> None:
    figures = rescore.replay(str(recorded / rollouts.FILE))
    (part,) = figures["parts"]
    assert part["reward_after"] == pytest.approx(part["reward_before"])
    assert part["dead_after"] == part["dead_before"] == 0.5
    assert (part["agree"], part["turned"], part["rollouts"]) == (1.0, 0.0, 8)
    assert figures["before"] == figures["after"]
    assert figures["after"]["accuracy"] == "0.4 to the power 4"


def test_a_rubric_of_ones_own_is_a_file(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[variants.mine]\nformat = 1.0\n")
    figures = rescore.replay(str(recorded), rubric=str(tmp_path / "mine.toml"))
    assert figures["after"] == {"format": "1"}
    assert figures["parts"][0]["reward_after"] == pytest.approx(figures["terms"]["format"])


def test_prose_earns_nothing_where_json_is_rewarded(recorded: Path) -> None:
    (part,) = rescore.replay(str(recorded), as_reward="json")["parts"]
    assert (part["reward_after"], part["dead_after"]) == (0.0, 1.0)


def test_json_of_a_named_format_is_scored_again_in_its_own_fields(recorded: Path) -> None:
    case = CASES[0]
    text = json.dumps(case.narrowed(CV.format("nested").fields).answer)
    rows = [Rollout(1, 0, place, 60, case.id, text, "", 2.0, {"json": 2.0}) for place in (0, 1)]
    about, _ = rollouts.read(recorded / rollouts.FILE)
    rollouts.write(recorded / rollouts.FILE, rows, About("cv", None, about.dataset, 2, "nested"))
    (explained,) = rescore.explain(recorded / rollouts.FILE, most=1)
    assert (explained.reward, explained.verdict) == (2.0, "verified")
    (part,) = rescore.replay(str(recorded), as_reward="json")["parts"]
    assert (part["reward_before"], part["reward_after"]) == (2.0, 2.0)


def test_a_run_is_known_by_its_name(recorded: Path, tmp_path: Path) -> None:
    """Its last grpo stage, which may have been adopted from an earlier run."""
    payload = tmp_path / "payload"
    payload.mkdir()
    (recorded / rollouts.FILE).rename(payload / rollouts.FILE)
    done = Store(str(tmp_path / "home/store")).commit("grpo", digest.of_json("x"), payload, {}, 1.0)
    (tmp_path / "home/runs/mine").mkdir(parents=True)
    event = {"stage": "grpo", "state": "reused", "uri": done.ref.uri}
    (tmp_path / "home/runs/mine/events.jsonl").write_text(f"{json.dumps(event)}\n")
    assert rescore.replay("mine")["task"] == "cv"
    with pytest.raises(StoreError, match=r"No run 'other' with a grpo stage in .*; runs: mine"):
        rescore.replay("other")


def test_the_rollouts_that_earn_least_are_explained_first(recorded: Path) -> None:
    rows = rescore.explain(recorded / rollouts.FILE, most=3)
    rewards = [row.reward for row in rows]
    assert rewards == sorted(rewards)
    assert len(rows) == 3
    assert all(term.why for term in rows[0].terms if term.lost)
    one = rescore.explain(recorded / rollouts.FILE, case=CASES[0].id)
    assert {row.case for row in one} == {CASES[0].id}


def test_records_of_a_report_are_explained_by_its_own_rubric(recorded: Path, tmp_path: Path, dataset: str) -> None:
    run = config.load("small")
    outcome = Outcome("evaluations", "sft", "greedy", CASES[0].id, texts={"text": CASES[0].prose[:-5]})
    records.write(tmp_path / records.RECORDS, [judged_prose(outcome, CASES[0], CV, RUBRIC)])
    measured = {"run": run.model_dump(mode="json", by_alias=True), "task": "cv", "dataset": dataset}
    (tmp_path / "measured.json").write_text(json.dumps(measured))
    (row,) = rescore.explain(tmp_path / records.RECORDS)
    assert row.reward == reward.score(row.text, CASES[0], CV, RUBRIC).composite
    sealed = judged_prose(outcome, CASES[0], CV, RUBRIC).sealed()
    records.write(tmp_path / records.RECORDS, [sealed])
    with pytest.raises(StoreError, match="digests in the place of texts"):
        rescore.explain(tmp_path / records.RECORDS)


def test_lines_of_json_name_a_gold_case_or_hold_one(tmp_path: Path) -> None:
    gold = CV.gold[0]
    lines = [
        {"completion": gold.prose, "case": gold.id},
        {"completion": CASES[0].prose, "case": json.loads(CASES[0].to_json())},
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [(row.case, row.reward) for row in rescore.explain(tmp_path / "mine.jsonl", "cv")] == [
        (gold.id, pytest.approx(1)),
        (CASES[0].id, pytest.approx(1)),
    ]
    (json_,) = rescore.explain(tmp_path / "mine.jsonl", "cv", as_reward="json", most=1)
    assert (json_.reward, json_.verdict.split(":")[0]) == (0.0, "not_json")


@pytest.mark.parametrize(
    ("line", "task_", "error", "words"),
    [
        ({"completion": "x", "case": "nope"}, "cv", InputError, "No case 'nope'; there are cases such as starter-"),
        ({"completion": 1, "case": "x"}, "cv", RowError, "line 1: expected 'completion', a text, and 'case'"),
        ({"completion": "x"}, "cv", RowError, "line 1: expected 'completion', a text, and 'case'"),
        ({"completion": "x", "case": {"id": "y"}}, "cv", RowError, "line 1: field 'level' is missing"),
        ({"completion": "x", "case": "y"}, "", InputError, "Give --task NAME"),
    ],
)
def test_lines_of_another_shape_are_refused(tmp_path: Path, line, task_: str, error: type, words: str) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps(line))
    with pytest.raises(error) as caught:
        rescore.explain(tmp_path / "mine.jsonl", task_)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[variants.mine]\nstyle = 1.0\n", "weighs style, which task 'cv' does not score; it scores accuracy,"),
        ("= 1", "not TOML"),
    ],
)
def test_a_rubric_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        rescore.chosen(CV, str(tmp_path / "mine.toml"))
    assert words in str(caught.value)


def test_what_is_no_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        rescore.explain(tmp_path / "nowhere.parquet")
    records.write(tmp_path / "records.parquet", [])
    with pytest.raises(StoreError, match="no rollouts can be read from here"):
        rescore.explain(tmp_path / "records.parquet")
