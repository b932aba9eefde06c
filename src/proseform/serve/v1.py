"""KServe's V1 protocol: ``{"instances": [{input: text}]}`` to ``{"predictions": [answer or {"error"}]}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.errors import InputError, ProseformError
from proseform.infer.answer import Answer
from proseform.serve import faults


def instances(body: Any) -> list[Any]:
    """The cases of a request.

    Raises:
        InputError: The body has none.
    """
    if not isinstance(body, dict) or not isinstance(body.get("instances"), list):
        raise InputError("Field 'instances' is missing or no list.", hint='Send {"instances": [{input: text}]}.')
    return list(body["instances"])


def predictions(outcomes: Sequence[Answer | ProseformError]) -> dict[str, Any]:
    """The response, in the order of the cases."""
    return {
        "predictions": [
            outcome.as_dict() if isinstance(outcome, Answer) else {"error": faults.as_json(outcome)}
            for outcome in outcomes
        ]
    }
