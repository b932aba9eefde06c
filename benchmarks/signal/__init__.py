"""What methods against zero-variance groups save: `python -m benchmarks.signal --help`."""
