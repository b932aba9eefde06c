"""What serving costs beside its engines: a scripted engine of fixed delay, an open-loop load, and servers between.

- :mod:`benchmarks.serving.cases`: the cases, what is asked of whom, and what is right
- :mod:`benchmarks.serving.engine`: the engine, in a process of its own
- :mod:`benchmarks.serving.load`: the load, in a process of its own
- :mod:`benchmarks.serving.http`: HTTP for both, which costs them little; :mod:`benchmarks.serving.clients` says how
  little beside others
- :mod:`benchmarks.serving.subjects`: the servers that are measured: ours, LiteLLM's proxy, and KServe's transformer
  (:mod:`benchmarks.serving.transformer`)
- :mod:`benchmarks.serving.measure`: latencies at some rates, and the highest rate within bounds
- :mod:`benchmarks.serving.parts`, :mod:`benchmarks.serving.garbage`: where the processor time of an answer goes
- :mod:`benchmarks.serving.hours`: a long load before engines that fail (:mod:`benchmarks.serving.faulty`): memory, file
  descriptors, latency
"""
