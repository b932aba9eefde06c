"""Batches: a file of requests in OpenAI's form, answered by the routes of the server, with a journal.

- :mod:`~proseform.serve.batches.rows`: the file of requests
- :mod:`~proseform.serve.batches.journal`: what was answered; one writer, appended to
- :mod:`~proseform.serve.batches.work`: answers what is left, many rows at a time
- :mod:`~proseform.serve.batches.file`: all of it, from a file to a file
- :mod:`~proseform.serve.batches.door`: the same over HTTP, on :mod:`~proseform.serve.batches.shelf` and
  :mod:`~proseform.serve.batches.clerk`
- :mod:`~proseform.serve.batches.tables`: results as JSON Lines, Parquet or CSV

A result stands once for each ``custom_id``. An engine is asked at least once: what a kill cut off is asked again.
"""
