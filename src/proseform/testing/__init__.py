"""For tests, here and in tasks of your own.

- :mod:`~proseform.testing.toy`: a toy task in code, and a bundle of it without files
- :mod:`~proseform.testing.scripted`: an engine that gives the completions that a test wrote
- :mod:`~proseform.testing.untrained`: a bundle of models with random weights
"""

from proseform.testing.scripted import Script, ScriptedEngine
from proseform.testing.toy import SCHEMA, toy_bundle, toy_task
from proseform.testing.untrained import CHATML, SPECIAL, random_bundle, tokenizer, vocabulary

__all__ = [
    "CHATML",
    "SCHEMA",
    "SPECIAL",
    "Script",
    "ScriptedEngine",
    "random_bundle",
    "tokenizer",
    "toy_bundle",
    "toy_task",
    "vocabulary",
]
