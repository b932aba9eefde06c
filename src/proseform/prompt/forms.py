"""The forms in which chat models are trained to answer JSON, as Hermes-2-Pro and its descendants are.

``json-mode``
    The schema stands in the system's turn, as JSON; the answer is JSON and nothing else.
``tool-call``
    The schema is that of a function's arguments. The tokenizer's own chat template writes the function between
    ``<tools>`` tags, in that model's own words, and says how a call is written, mostly as
    ``<tool_call>{"name": ..., "arguments": ...}</tool_call>``. The model writes the arguments; what stands around them
    is given, or read away (:mod:`proseform.infer.calls`).

A prompt's file may state other words for the system's turn: whatever a model's card says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

Form = Literal["", "json-mode", "tool-call"]
JSON_MODE: Final = "json-mode"
TOOL_CALL: Final = "tool-call"
FORMS: tuple[Form, ...] = get_args(Form)
DEFAULTS: Mapping[Form, str] = {
    "": "",
    JSON_MODE: "Answer with one JSON object and nothing else. Its JSON Schema:\n<schema>\n{schema}\n</schema>",
    TOOL_CALL: "",
}
"""The system's words where a file has none; ``{schema}`` is filled in."""
