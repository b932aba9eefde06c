"""A task for the study: say of each of four words whether it names a tree or a stone. Frozen; no recipe is tuned on it.

What is asked, in prose or as JSON, is a prompt of arms.toml: the study installs this package once a prompt, under the
name `study-<prompt>` and with that prompt as its evaluator.md (:mod:`benchmarks.study.world`).
"""
