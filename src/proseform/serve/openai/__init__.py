"""OpenAI's protocol, so that its clients work unchanged: chat completions, completions, models.

- :mod:`~proseform.serve.openai.messages`: what a request asks for
- :mod:`~proseform.serve.openai.completions`: answers, chunks and errors in OpenAI's words
- :mod:`~proseform.serve.openai.door`: the routes

``model=<task>`` evaluates the inputs and gives verified JSON; ``model=<task>/formatter`` turns prose into JSON. Content
is verified JSON alone, streamed or not. What cannot be done here is refused, not passed over; only knobs of sampling
are, which the bundle sets. Left out: usage, since nobody counts prompts for all engines.
"""
