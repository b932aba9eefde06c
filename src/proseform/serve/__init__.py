"""Serving: an ASGI application in front of engines. Nothing leaves that the verifier did not accept.

- :mod:`~proseform.serve.server`: uvicorn over the application
- :mod:`~proseform.serve.app`: routes, errors as responses, callers that leave
- :mod:`~proseform.serve.exchange`: one HTTP exchange: bodies within bounds, strict JSON
- :mod:`~proseform.serve.reading`: our own protocol; :mod:`~proseform.serve.v1`, :mod:`~proseform.serve.v2`: KServe's
- :mod:`~proseform.serve.admission`: who is let in, and counting
- :mod:`~proseform.serve.router`: weights between bundles
- :mod:`~proseform.serve.faults`: errors as HTTP

How a champion is looked up is the registry's affair: engines are handed to this room.
"""
