"""The storm: verified answers over engines that fail in every way that is known, on real sockets.

- :mod:`benchmarks.storm.faults`: the ways to fail
- :mod:`benchmarks.storm.backend`: a scripted engine that fails when told to
- :mod:`benchmarks.storm.play`: scenarios: a load, faults that come and go, and what became of every request
- :mod:`benchmarks.storm.oracle`: what could have been answered at best
"""
