"""An answer as prose that a person reads, and back: the form of every task that has no prose of its own.

    Candidate: "Amina Okafor".
    Requirements 1. Skill: "Python". Quote: "advanced Python". Verdict: met.
    Requirements 2. Skill: "SQL". Quote: "". Verdict: missing.
    Score: 50.

A leaf is a sentence: a label, a colon, a value, a full stop. Leaves of the root have a line each; an object or an array
below it has one line, which begins with where it stands. Texts are quoted as JSON quotes them, unless they are words
that the schema itself offers; numbers are JSON's, true and false are ``yes`` and ``no``, null is ``none``.

    labels.py    names of fields as words, one to one
    order.py     in which order they are written: what quotes first
    tree.py      a value as its leaves, and back
    writing.py   a value to prose
    reading.py   prose to what it says: strictly, or sentence by sentence where it was written carelessly
    form.py      the form of a schema: writer, reader and reward terms
    described.py the form in words, for models that were not trained on it

Whatever is written is read back as the same value; what is read strictly could have been written letter by letter.
Left out: paraphrase, and other languages' words for yes, no and none.
"""

from proseform.verbal.described import described
from proseform.verbal.form import Form
from proseform.verbal.labels import Labels
from proseform.verbal.reading import read, scan
from proseform.verbal.writing import write

VERSION = "verbal/1"
"""Of the form that is written and read: part of the contract of every task that uses it."""

__all__ = ["VERSION", "Form", "Labels", "described", "read", "scan", "write"]
