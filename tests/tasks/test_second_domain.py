"""Another domain is a folder of data in a wheel of its own, which works beside a core that is not changed."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proseform import config, digest, documents, reward, task, verify
from proseform.case import SPLITS
from proseform.errors import InputError
from proseform.verdict import Reason

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/tasks/triage"
CORE = ROOT / "src/proseform"
MOST_LINES = 270

DOMAIN_WORDS = re.compile(r"\b(cv|cvs|résumé|applicant|curriculum vitae)\b", re.IGNORECASE)
ALLOWED = {
    ("errors.py", "no task 'cvs'; installed: cv"): "what a message looks like, by the name of the installed task",
    ("registry/__init__.py", 'model_name("cv")'): "a doctest, by the name of the installed task",
    ("registry/__init__.py", "'proseform-cv'"): "the same doctest",
    (
        "cli.py",
        'task: TaskName = "cv"',
    ): "the task that ships is the default; a name that is looked up, nothing that is known",
    ("commands/rewards.py", 'task: TaskName = "cv"'): "the same default",
    ("commands/batch.py", 'task: TaskName = "cv"'): "the same default",
}
"""(file, part of the line) that may say a domain word, and why."""

PROGRAM = """
import json, sys
from pathlib import Path
from proseform import config, laws, task
from proseform.data import splits
triage, folder = task.load("triage"), Path(sys.argv[1])
laws.check(triage)
dataset = config.Dataset(train=40, valid=8, test=8, format="nested")
rows = splits.write(triage, dataset, {"busy": 5}, folder, lambda done, total: None)
where = sys.modules["proseform_triage"].__file__
print(json.dumps({"installed": sorted(task.installed()), "from": where, "digest": triage.whole, "rows": rows}))
"""
"""A program of another machine: nothing in it knows where the task is."""

GOOD = """\
Acorn Foods, gold: "lockout" in billing, open.
Rule lockout: critical, 2h, identity.
Waits 5h, late.
Score: 50 + 30 + 20 = 100. Priority: P1. Team: duty. Decision: escalate."""

BAD = [
    (GOOD + "\nI hope this helps!", "layout", "talk behind it"),
    ("Sure!\n" + GOOD, "layout", "talk before it"),
    (GOOD.replace("Waits 5h, late.\n", ""), "waiting", "a sentence is missing"),
    (GOOD + " Team: desk.", "team", "a sentence stands twice"),
    (GOOD.replace("P1", "P5"), "priority", "no such priority"),
    (GOOD.replace("5h", "005h"), "layout", "a number with leading zeros"),
    (GOOD.replace("= 100", "= 101"), "score", "a score beyond 100"),
    (GOOD.replace("escalate", "Escalate"), "decision", "another spelling"),
    ("\n".join(reversed(GOOD.split("\n"))), "layout", "the verdict before the evidence"),
]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("triage")
    shutil.copytree(FOLDER, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "../dist"]
    done = subprocess.run(build, cwd=folder / "source", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def state(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What :data:`PROGRAM` prints in a process that has the wheel on its path."""
    folder = tmp_path_factory.mktemp("dataset")
    env = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], env=env, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "folder": folder}


@pytest.fixture
def triage(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[task.Task]:
    """The task, in this process."""
    monkeypatch.syspath_prepend(str(unpacked))
    yield task.load("triage")
    for name in [name for name in sys.modules if name.startswith("proseform_triage")]:
        del sys.modules[name]


def test_the_wheel_is_found_beside_the_shipped_task(state: dict, unpacked: Path) -> None:
    assert {"cv", "triage"} <= set(state["installed"])
    assert Path(state["from"]).is_relative_to(unpacked)


def test_the_wheel_carries_the_whole_folder_unchanged(state: dict, triage: task.Task) -> None:
    """The digest of the source folder, of the wheel here and of the wheel in the other process are one."""
    folder = FOLDER / "proseform_triage"
    files = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert digest.of_files(folder, files) == triage.whole == state["digest"]


def test_the_data_room_writes_its_dataset(state: dict) -> None:
    """Laws held, or the program would have ended; the rows are those of any task."""
    assert state["rows"]["evaluator-train"] == state["rows"]["formatter-train"] == 40
    assert state["rows"]["cases-test-busy"] == 5
    evaluator = json.loads((state["folder"] / "evaluator-train.jsonl").read_text().splitlines()[0])
    assert [message["role"] for message in evaluator["prompt"]] == ["system", "user"]
    formatter = [json.loads(line) for line in (state["folder"] / "formatter-train.jsonl").read_text().splitlines()]
    assert {"customer", "decision"} <= set(
        json.loads(next(row for row in formatter if row["id"].startswith("starter"))["completion"])
    )


def test_the_small_run_is_its_run_too(triage: task.Task) -> None:
    """`--run small` names a level and a format; the task has both."""
    dataset = config.load("small").dataset
    assert dataset.level in triage.levels
    assert dataset.format in triage.formats


def test_shipped_cases_and_example_are_held_out_cases_of_the_generator(triage: task.Task) -> None:
    """Nothing in the folder was made by hand, and nothing of it is trained on."""
    assert list(triage.gold) == [case for level in triage.levels for case in triage.generate(level, "test", 2026, 3)]
    example = {name: documents.read(FOLDER / "example" / file).text for name, file in _example().items()}
    case = list(triage.generate("starter", "test", 2026, 4))[3]
    assert {name: text.strip() for name, text in example.items()} == case.inputs


@pytest.mark.parametrize("level", ["starter", "busy"])
def test_gold_reads_as_gold_and_quotes_the_ticket(triage: task.Task, level: str) -> None:
    """Evidence stands word for word in the inputs; the sum is the sum; a policy names the rule."""
    for split in SPLITS:
        for case in triage.generate(level, split, 3, 200):
            verdict = verify.prose(case.prose, triage, case.inputs)
            assert verdict.ok, str(verdict)
            assert verdict.value == case.answer
            assert case.answer["problem"]["quote"] in case.inputs["ticket"]
            rule = case.answer["rule"]
            assert f"{rule['name']}: {rule['severity']}, {rule['sla_hours']}h, {rule['owner']}" in case.inputs["policy"]
            assert sum(case.answer["points"].values()) == case.answer["score"]


@pytest.mark.parametrize(("text", "where"), [bad[:2] for bad in BAD], ids=[bad[2] for bad in BAD])
def test_the_reader_is_strict(triage: task.Task, text: str, where: str) -> None:
    assert verify.form(GOOD, triage, {}).ok
    verdict = triage.read(text, {})
    assert (verdict.reason, verdict.where) == (Reason.FORM, where)


def test_carelessness_talk_and_repetition_cost(triage: task.Task) -> None:
    """What GRPO is to mend is worth less than gold, and what it might try instead is too."""
    rubric, rng = triage.rubric(), random.Random(0)
    cases = list(triage.generate("starter", "train", 1, 200))
    careless = [reward.prose(triage.annotate(case, rng), case, triage, rubric) for case in cases]
    assert 0.4 < sum(careless) / len(careless) < 0.9
    for case in cases[:20]:
        for text in (
            case.prose * 2,
            f"{case.prose}\n{case.prose}",
            f"Sure!\n{case.prose}",
            case.prose.replace("Score", "score"),
        ):
            assert reward.prose(text, case, triage, rubric) < 0.95
    other = next(case for case in cases[1:] if case.answer["decision"] != cases[0].answer["decision"])
    assert reward.prose(other.prose, cases[0], triage, rubric) < 0.6


def test_an_unknown_level_is_refused_by_name(triage: task.Task) -> None:
    with pytest.raises(InputError, match=r"no level 'calm'; there are: starter, busy"):
        next(triage.generate("calm", "train", 0, 1))


def test_a_domain_stays_small() -> None:
    """Lines of Python that are not blank, which a newcomer has to read."""
    lines = [line for path in FOLDER.rglob("*.py") for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES


def test_the_core_names_no_domain() -> None:
    """Outside tasks/ the package does not know what is judged."""
    offenders = [
        f"{path.relative_to(CORE)}:{number}: {line.strip()}"
        for path in sorted(CORE.rglob("*"))
        if path.suffix in {".py", ".md", ".toml", ".j2"} and path.relative_to(CORE).parts[0] != "tasks"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if DOMAIN_WORDS.search(line)
        and not any(path.relative_to(CORE).as_posix() == file and part in line for file, part in ALLOWED)
    ]
    assert not offenders, "\n".join(offenders)


def _example() -> dict[str, str]:
    """example.toml."""
    return tomllib.loads((FOLDER / "example/example.toml").read_text())
