"""The collapse of GRPO on JSON, measured arm by arm: `python -m benchmarks.study --help`, and docs/study.md."""
