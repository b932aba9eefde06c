"""Training: the workers that a launcher starts by name, and what they share.

- :mod:`~proseform.train.base` makes the model that both roles start from; :mod:`~proseform.train.tiny` makes one from
  nothing
- :mod:`~proseform.train.sft` imitates: prose for the evaluator, JSON for the formatter
- :mod:`~proseform.train.grpo` enforces: the rubric on a policy that imitates careless annotators
- :mod:`~proseform.train.scorer`, :mod:`~proseform.train.prompts`, :mod:`~proseform.train.stopping`: what GRPO earns,
  what it asks next, and when it stops; :mod:`~proseform.train.grpo_trainer` ties them into TRL's trainer, by
  :mod:`~proseform.train.seams`
- :mod:`~proseform.train.methods`: what is done about groups that teach nothing; :mod:`~proseform.train.signal` measures
  them, before training and in each step
- :mod:`~proseform.train.hazards`: what TRL does that has to be known
- :mod:`~proseform.train.rows`, :mod:`~proseform.train.memory`, :mod:`~proseform.train.checkpoints`,
  :mod:`~proseform.train.progress`, :mod:`~proseform.train.weights`, :mod:`~proseform.train.muon`: what they share

TRL's trainers do the training; nothing distributed is written here. torch, transformers and TRL are imported inside
functions, so that importing this package costs nothing.
"""
