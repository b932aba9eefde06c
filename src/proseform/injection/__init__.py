"""Text of an input that speaks to the model: found by rule, and made, to train against it and to measure what it does.

- :mod:`~proseform.injection.rule` finds it: families of wordings and marks (``speech.toml``), in linear time;
- :mod:`~proseform.injection.noticed` makes findings of it: the text stays in its place and is reported;
- :mod:`~proseform.injection.aim` says what an attack is after: a higher number, a better label;
- :mod:`~proseform.injection.attacks` makes attacks by family (``attacks.toml``), and puts them into a text.

Families of attacks are *trained* (a run may put them into training cases, ``[dataset] injected``) or *held out*, which
no training sees. Left out: text in other languages than English, German and French, and text that is disguised
(letters spaced out or replaced, encodings). What a reader of documents finds hidden never reaches a model.
"""

from proseform.injection.aim import Aim, aimed
from proseform.injection.noticed import noticed
from proseform.injection.rule import Patterns, Speech

__all__ = ["Aim", "Patterns", "Speech", "aimed", "noticed"]
