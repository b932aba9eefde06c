"""The tasks that ship, found by the entry-point group ``proseform.tasks``: each a folder of data and small pure modules."""
