"""Doors into the stages: one KFP component a stage, whose body is one call.

No ``from __future__ import annotations`` here: KFP reads the annotations themselves.
"""

from components.cleanup import cleanup
from components.dataset import dataset
from components.evaluate import evaluate
from components.gate import gate
from components.grpo import grpo
from components.probe import probe
from components.promote import promote
from components.register import register
from components.sft import sft

__all__ = ["cleanup", "dataset", "evaluate", "gate", "grpo", "probe", "promote", "register", "sft"]
