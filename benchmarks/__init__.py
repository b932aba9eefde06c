"""Measurements, each a command that prints its figures and the machine: `make bench`."""
