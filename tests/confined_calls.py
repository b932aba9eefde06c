"""What tests/test_confined.py calls in processes of their own."""

import os
import sys


def echo(value):
    sys.stdout.write("noise")
    return value


def length(value, data):
    return [value, len(data), sum(data)]


def die(now):
    if now:
        os.abort()
    return os.getpid()


KEPT = []


def keep(size):
    KEPT.append(bytearray(size))
    return os.getpid()


def process(_):
    return os.getpid()


def spin(forever):
    while forever:
        pass
    return os.getpid()


def hoard(much):
    if much:
        bytearray(1 << 30)
    return os.getpid()


def fail(_):
    raise ValueError("so it is")
