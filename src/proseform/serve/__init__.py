"""Serving: a KServe transformer in front of engines. Nothing leaves that the verifier did not accept.

- :mod:`~proseform.serve.server`: KServe's server, its protocols and our routes
- :mod:`~proseform.serve.admission`: admission, answering in threads, counting
- :mod:`~proseform.serve.router`: weights between bundles
- :mod:`~proseform.serve.reading`: requests as values
- :mod:`~proseform.serve.faults`: errors as HTTP

How a champion is looked up is the registry's affair: engines are handed to this room.
"""
