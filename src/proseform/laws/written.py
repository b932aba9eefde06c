"""Whether a text can be written in the form that evaluations are held to (:mod:`proseform.guided`)."""

from __future__ import annotations

from proseform import bytewise


def fault(grammar: str, text: str) -> str:
    """What there is against a text by a filled grammar, or against the grammar itself; empty where there is nothing.

    >>> fault('start: "so " /[a-z]+/', "so it is"), fault('start: "so " /[a-z]+/', "so be")
    ('"so it" is followed by " is"', '')
    >>> fault("start: NOTE", "").startswith("it is none")
    True
    """
    from llguidance import LLMatcher

    tokens = list(text.encode())
    matcher = LLMatcher(bytewise.tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    if matcher.is_error():
        return f"it is none: {' '.join(matcher.get_error().split())[:200]}"
    taken = 0
    while taken < len(tokens) and matcher.compute_bitmask() and matcher.try_consume_tokens(tokens[taken : taken + 1]):
        taken += 1  # a mask at each step, as while it is written: on a long input that can take more than is allowed
    if matcher.is_error():
        return f"behind {taken} bytes: {matcher.get_error().strip().splitlines()[0][:200]}"
    if taken < len(tokens):
        before, behind = (bytes(part).decode(errors="replace") for part in (tokens[:taken], tokens[taken:]))
        return f'"{before[-40:]}" is followed by "{behind[:40]}"'
    return "" if matcher.is_accepting() else f'"{text[-40:]}" is no end'
