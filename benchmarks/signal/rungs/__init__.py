"""A task for measurements of GRPO: say of each word of a list what it names. Frozen; no recipe is tuned on it.

A policy that is wrong on each word by chance is wholly right on a list of n words with probability q to the n: so its
three rungs, of 2, 6 and 12 words, are easy, hard and hardly ever solved.
"""
