"""Grammars of schemas: tried in a process that can be killed, widened where the compiler refuses, and compiled.

- :mod:`~proseform.infer.grammars.examine`: whether engines take a schema, found out within limits that hold
- :mod:`~proseform.infer.grammars.widening`: what runs in that process: the widest that the compiler takes
- :mod:`~proseform.infer.grammars.compile`: the compiler, and how constrained JSON is written
- :mod:`~proseform.infer.grammars.constrain`: compiled grammars for constrained decoding in this process
- :mod:`~proseform.infer.grammars.compilations`: keeps what was examined and what was compiled
"""
