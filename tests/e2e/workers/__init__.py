"""Workers that tests hand to the launcher: a pod finds them on PYTHONPATH, on the store's claim."""
