"""The alerts by Prometheus's own rule tests: what fires, and what does not.

``promtool`` comes with Prometheus (Debian: package ``prometheus``); without it the rules are checked by name alone
(``test_chart``).
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests import render

HERE = f'namespace="{render.NAME}"'
ANSWERS = f'proseform_answers_total{{{HERE},pod="a",task="cv",bundle="b"}}'
WAITING = f'vllm:num_requests_waiting{{{HERE},pod="e",job="proseform-cv-v1"}}'
BREAKER = f'proseform_breaker_state{{{HERE},pod="a",role="formatter",backend="e:8000"}}'
FAILED = f'training_operator_jobs_failed_total{{job_namespace="{render.NAME}",framework="pytorch"}}'
EVERY = [
    "ProseformRefusals",
    "ProseformFaults",
    "ProseformSlow",
    "ProseformWaiting",
    "ProseformBackend",
    "ProseformTraining",
    "ProseformGone",
]


def refused(reason: str) -> str:
    return f'proseform_refusals_total{{{HERE},pod="a",task="cv",reason="{reason}"}}'


def timed(bound_s: str, within: str) -> dict[str, str]:
    """One bucket of the histogram, and its total of 60 answers a minute."""
    bucket = f'proseform_answer_seconds_bucket{{{HERE},pod="a",task="cv",le="%s"}}'
    return {bucket % bound_s: within, bucket % "+Inf": "0+60x120"}


def up(pod: str) -> str:
    return f'up{{{HERE},pod="{pod}",job="proseform-cv-v1"}}'


STORIES: dict[str, tuple[dict[str, str], list[str]]] = {
    "all is well": (
        {
            ANSWERS: "0+60x120",
            refused("not_json"): "0+1x120",
            **timed("1", "0+59x120"),
            WAITING: "3x120",
            up("a"): "1x120",
        },
        [],
    ),
    "one in ten is refused": ({ANSWERS: "0+54x120", refused("not_json"): "0+6x120"}, ["ProseformRefusals"]),
    "several reasons add up": (
        {ANSWERS: "0+94x120", refused("not_json"): "0+3x120", refused("schema"): "0+3x120"},
        ["ProseformRefusals"],
    ),
    "a bundle never answers": ({refused("not_json"): "0+60x120"}, ["ProseformRefusals"]),
    "callers send nonsense": (
        {ANSWERS: "0+60x120", refused("input"): "0+600x120", refused("too_large"): "0+60x120"},
        [],
    ),
    "callers send foreign cases": ({ANSWERS: "0+60x120", refused("insufficient_evidence"): "0+600x120"}, []),
    "the queue is full": ({ANSWERS: "0+60x120", refused("busy"): "0+5x120"}, ["ProseformFaults"]),
    "the engine is away": ({refused("engine"): "0+60x120"}, ["ProseformFaults"]),
    "a fault that is over": ({ANSWERS: "0+60x120", refused("internal"): "0 5x119"}, []),
    "answers are slow": (
        {ANSWERS: "0+60x120", **timed("30", "0+50x120"), **timed("60", "0+60x120")},
        ["ProseformSlow"],
    ),
    "requests pile up": ({ANSWERS: "0+60x120", WAITING: "21x120"}, ["ProseformWaiting"]),
    "a replica's breaker opens and probes in vain": ({BREAKER: "0x60 2 1 2 1 2x56"}, ["ProseformBackend"]),
    "a breaker opens now and then": ({BREAKER: "0 2 1 0 0 2 0x114"}, []),
    "a pod is gone": ({up("a"): "1x120", up("e"): "1x110 0x9"}, ["ProseformGone"]),
    "the first training job fails": ({FAILED: "_x114 1x5"}, ["ProseformTraining"]),
    "another training job fails": ({FAILED: "4x114 5x5"}, ["ProseformTraining"]),
    "a training job failed long ago": ({FAILED: "_x60 1x59"}, []),
    "other namespaces have troubles": (
        {
            'proseform_refusals_total{namespace="other",pod="a",task="cv",reason="not_json"}': "0+60x120",
            'up{namespace="other",pod="a"}': "0x120",
            'training_operator_jobs_failed_total{job_namespace="other",framework="pytorch"}': "0+1x120",
        },
        [],
    ),
}
"""Series with one value a minute over two hours, and the alerts that fire at the end."""


@functools.cache
def rules() -> list[dict[str, Any]]:
    manifests = render.objects({"monitoring": {"create": True}})
    return next(manifest["spec"]["groups"] for manifest in manifests if manifest["kind"] == "PrometheusRule")


@pytest.fixture
def promtool(tmp_path):
    if (program := shutil.which("promtool")) is None:
        pytest.skip("no promtool on this machine: the alerts are not evaluated")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rules()}))

    def run(*words: str) -> str:
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return run


def story(series: dict[str, str], firing: list[str]) -> dict[str, Any]:
    """A file of rule tests: the alerts that fire after two hours."""
    asked = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": "2h",
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing],
    }
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    tests = [{"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}]
    return {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}


def test_every_alert_fires_in_a_story():
    assert [rule["alert"] for group in rules() for rule in group["rules"]] == EVERY
    assert {name for _, firing in STORIES.values() for name in firing} == set(EVERY)


def test_the_readme_lists_every_alert():
    assert re.findall(r"^\| `(Proseform\w+)`", (render.CHART / "README.md").read_text(), re.MULTILINE) == EVERY


def test_prometheus_has_nothing_against_the_rules(promtool):
    assert promtool("check", "rules", "rules.yaml") == ""


@pytest.mark.parametrize("name", STORIES)
def test_what_fires_is_what_should(promtool, tmp_path: Path, name: str):
    series, firing = STORIES[name]
    (tmp_path / "story.yaml").write_text(yaml.safe_dump(story(series, firing)))
    assert promtool("test", "rules", "story.yaml") == ""


def test_a_story_that_does_not_come_true_is_noticed(promtool, tmp_path: Path):
    (tmp_path / "story.yaml").write_text(yaml.safe_dump(story(STORIES["a bundle never answers"][0], [])))
    assert "ProseformRefusals" in promtool("test", "rules", "story.yaml")
