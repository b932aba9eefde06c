"""Endings: a document that is being written is brought to its end within its budget, while it is written.

- :mod:`~proseform.infer.endings.budget`: when to look for an ending, and what is taken back where none fits any more
- :mod:`~proseform.infer.endings.search`: finds a short ending behind a place, by best-first search over the grammar
- :mod:`~proseform.infer.endings.guide`: what the schema says of the shortest way to the end, by its
  :mod:`~proseform.infer.endings.shapes` and :mod:`~proseform.infer.endings.samples` of its patterns and formats
- :mod:`~proseform.infer.endings.cursor`: where in a document a text ends
- :mod:`~proseform.infer.endings.cut`: which fields were cut
- :mod:`~proseform.infer.endings.lapses`: what the grammar allows and the verifier refuses
"""
