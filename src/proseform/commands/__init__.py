"""Groups of commands, one module a group, and the options that commands share; they only dispatch.

- :mod:`~proseform.commands.options`: options and exit codes
- :mod:`~proseform.commands.batch`: ``proseform batch``
- :mod:`~proseform.commands.keys`: ``proseform keys``
- :mod:`~proseform.commands.rewards`: ``proseform rewards``
- :mod:`~proseform.commands.training`: ``proseform watch``
- :mod:`~proseform.commands.task`: ``proseform task``
"""
