"""What a schema states of where its values come from, and whether a value keeps to it: grounded and consistent.

Six keywords, which validators pass over and engines never see:

    "x-from": "letter"                  the text stands in that input, word for word, at word borders; "" gives nothing
    "x-supports": {"names": "tool"}     beside it: what the quote must be about, else it is a true quote of no worth
    "x-supports": {"beside": "tool"}    beside it: what stands on a line with it, so that two lines are not mixed
    "x-derive": {"count": "/items", …}  the value follows from others by one of a closed set of operators
    "x-absent": {"input": …, "names": …}  empty says that the input shows none of these; told where it names one
    "x-covers": "letter"                what lies beneath is to cover that input; told where it passes over a sentence
    "x-abstain": {"answer": {…}}        at the root: the answer where there is too little to judge by

    quotes.py      where a quote stands in a text
    numbers.py     numbers, as people write them
    dates.py       dates and periods, as people write them
    derivations.py the operators
    keywords.py    the keywords of a subschema as values
    abstaining.py  the abstaining answer
    stated.py      those of a whole schema, read once and checked
    judged.py      a value judged by them, with the evidence
    recomputed.py  what follows, computed anew where a value says otherwise
    struck.py      what is quoted for a thing that no input names, or stands beside another thing, taken out
    covering.py    the sentences of an input that a value passes over
    bearing.py     the lines that bear on what is quoted at a place
    marked.py      the inputs with their quotes marked, for pages

Knowingly left out: whether a true quote *means* what it is quoted for. "No Python" quotes Python; that is the model's
to know, and is measured.
"""

from proseform.claims.bearing import bearing
from proseform.claims.covering import uncovered
from proseform.claims.judged import judge, unquoted
from proseform.claims.marked import marked
from proseform.claims.recomputed import recomputed, undated
from proseform.claims.stated import Claims, Synonyms, claims
from proseform.claims.struck import astray, struck

__all__ = [
    "Claims",
    "Synonyms",
    "astray",
    "bearing",
    "claims",
    "judge",
    "marked",
    "recomputed",
    "struck",
    "uncovered",
    "undated",
    "unquoted",
]
