"""Judge in prose, answer in JSON.

A model that judges should judge in prose; a model that formats should format. The package is read
from the bottom up, and imports go down only:

- floor 0, words: :mod:`~proseform.errors`, :mod:`~proseform.versions`, :mod:`~proseform.config`
- floor 1, nouns: :mod:`~proseform.input`, :mod:`~proseform.case`, :mod:`~proseform.schema`, :mod:`~proseform.prompt`,
  :mod:`~proseform.claims`, :mod:`~proseform.rubric`, :mod:`~proseform.task`, :mod:`~proseform.bundle`
- floor 2, judgement: :mod:`~proseform.verify`, :mod:`~proseform.reward`, :mod:`~proseform.report`,
  :mod:`~proseform.thresholds`, :mod:`~proseform.laws`; pure functions, no I/O, but for :mod:`~proseform.checklist`,
  which tries rewards in processes of their own
- floor 3, domains: :mod:`proseform.tasks`
- floor 4, reach: :mod:`~proseform.store`, :mod:`~proseform.launch`, :mod:`~proseform.documents`,
  :mod:`~proseform.infer`
- floor 5, rooms that never import one another: ``data``, ``train``, ``registry``, ``serve``
- floor 6, :mod:`proseform.stages`: one module a stage, ties rooms together
- floor 7, :mod:`proseform.cli`: only dispatches
"""
