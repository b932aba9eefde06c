"""Serving: an ASGI application in front of engines. It sends no answer that the verifier did not accept.

- :mod:`~proseform.serve.server`: uvicorn over the application
- :mod:`~proseform.serve.app`: routes, errors as responses, callers that disconnect
- :mod:`~proseform.serve.exchange`: one HTTP exchange: bodies within bounds, strict JSON
- :mod:`~proseform.serve.routes`, :mod:`~proseform.serve.waiting`: which handler answers, and for how long it waits
- :mod:`~proseform.serve.reading`: our own protocol, in events by :mod:`~proseform.serve.draft`
- :mod:`~proseform.serve.openai`: OpenAI's; :mod:`~proseform.serve.v1`, :mod:`~proseform.serve.v2`: KServe's, and its
  second by :mod:`~proseform.serve.grpc`; :mod:`~proseform.serve.several`: requests of several cases
- :mod:`~proseform.serve.batches`: files of requests
- :mod:`~proseform.serve.page`: a page to try the task in a browser
- :mod:`~proseform.serve.draining`, :mod:`~proseform.serve.listening`: how it leaves, and where it listens
- :mod:`~proseform.serve.guard`, :mod:`~proseform.serve.keys`, :mod:`~proseform.serve.connection`: who may ask, and how
  slowly
- :mod:`~proseform.serve.events`: responses that are written while they come
- :mod:`~proseform.serve.admission`: limits on concurrent and waiting requests: :mod:`~proseform.serve.line`,
  :mod:`~proseform.serve.flights`
- :mod:`~proseform.serve.notes`, :mod:`~proseform.serve.told`: what is noted of a request, and told of it: by
  :mod:`~proseform.serve.metrics`, :mod:`~proseform.serve.logs`, and by :mod:`~proseform.serve.tracing` with
  :mod:`~proseform.serve.recorder`
- :mod:`~proseform.serve.readiness`: whether the engines answer; :mod:`~proseform.serve.about`: what is served
- :mod:`~proseform.serve.router`: weights between bundles, set by :mod:`~proseform.serve.admin`; bundles exchanged by
  :mod:`~proseform.serve.following`
- :mod:`~proseform.serve.faults`: errors as HTTP

This room gets engines and does not know the registry, which resolves an alias to a bundle.
"""
