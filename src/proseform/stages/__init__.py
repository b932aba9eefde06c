"""The stages, one module each: dataset, sft, grpo, evaluate, register, gate, promote, probe.

A stage ties rooms together. It takes and gives artifacts (a URI, and metadata with the digest), never payloads.
"""

STEPS = ("dataset", "sft-evaluator", "grpo", "sft-formatter", "evaluate", "register", "gate", "promote", "probe")
"""The steps of a whole run, in order; sft runs once for each role."""
