"""Constrained decoding compared: `PROSEFORM_SCHEMAS=folder python -m benchmarks.decoders`.

Three engines, each in processes of its own and asked as its library's default is: llguidance, outlines-core, xgrammar;
and llguidance as Proseform asks it. What is compared is the grammar, not a model: no text is generated. An instance is
walked token by token, as a model that writes just this would be held; masks of a token that is not allowed end it.

The others are no dependencies of ours. Get them into a folder of their own, and name it::

    uv pip install --no-deps --target build/decoders outlines-core==0.2.14 xgrammar==0.2.8 apache-tvm-ffi==0.1.15.post2
    PYTHONPATH=build/decoders PROSEFORM_SCHEMAS=folder python -m benchmarks.decoders

The folder of schemas holds MaskBench's files (`{"schema": …, "tests": [{"data", "valid"}]}`). Left out: llama.cpp's
grammars, batches, and speculation, which all three of them bear.
"""
