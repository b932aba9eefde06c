"""Writes cases.jsonl: cases of the task triage, which is one in Python, as data alone.

PYTHONPATH=examples/tasks/triage python examples/tasks/tickets/make_cases.py > examples/tasks/tickets/cases.jsonl
"""

from __future__ import annotations

import json

from proseform_triage.source import generate

COUNTS = {"train": 500, "valid": 60, "test": 60}
LEVEL, SEED = "starter", 2026


def main() -> None:
    """Print the lines."""
    for split, count in COUNTS.items():
        for case in generate(LEVEL, split, SEED, count):
            line = {"split": split, "groups": case.groups, "inputs": case.inputs, "answer": case.answer}
            print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
