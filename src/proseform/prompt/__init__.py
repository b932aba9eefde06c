"""A prompt: a template, and what comes of it once its values are filled in.

- :mod:`~proseform.prompt.template`: fixed text with named placeholders
- :mod:`~proseform.prompt.forms`: how chat models are asked for JSON
- :mod:`~proseform.prompt.segments`: the rendered prompt, with text of the template and text of others kept apart

A plain prompt is for the formatter: its training rows are TRL's *standard* prompt and completion strings, since a chat
template makes a model chat. A prefill such as ``{"`` is the beginning of the completion, which the model is given.
"""

from proseform.prompt.forms import JSON_MODE, TOOL_CALL, Form
from proseform.prompt.segments import TOKENISATION, TOOLS, Message, Rendered, Segment, Style, Turn
from proseform.prompt.template import Prompt

__all__ = [
    "JSON_MODE",
    "TOKENISATION",
    "TOOLS",
    "TOOL_CALL",
    "Form",
    "Message",
    "Prompt",
    "Rendered",
    "Segment",
    "Style",
    "Turn",
]
