"""The shipped tasks: each a folder of data and small pure modules, found by the entry-point group ``proseform.tasks``."""
