"""The shipped tasks: folders of data and small pure modules, found by the entry-point group ``proseform.tasks``."""
