"""How calls to engines by URL bear engines that fail: pure policies, and the pool that acts on them.

- :mod:`~proseform.infer.resilience.backoff`: how long to wait before a call is made again
- :mod:`~proseform.infer.resilience.budget`: how many calls may be made again
- :mod:`~proseform.infer.resilience.breaker`: whether a backend is asked at all, as a state machine without I/O
- :mod:`~proseform.infer.resilience.latency`: how long calls take, and from when on one counts as slow
- :mod:`~proseform.infer.resilience.replica`: one server as one role uses it: its breaker, its budget, its load
- :mod:`~proseform.infer.resilience.pool`: the replicas of a role, and which of them gets a call
- :mod:`~proseform.infer.resilience.calls`: the calls of one request: again, and beside one that is slow
- :mod:`~proseform.infer.resilience.observer`: what metrics are told

A backend is one server in one role: a server that holds both models may fail in one of them.
"""
