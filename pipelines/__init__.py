"""The story in KFP's words: train.py, then promote.py."""
