"""What is said of a value that cannot be used."""

from __future__ import annotations


class BadValueError(ValueError):
    """A value that cannot be used, told by the code that parses it.

    :param what: the cause.
    :param fix: what to do about it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


def quoted(value: object) -> str:
    """A value as a finding quotes it: short, on one line; lists and mappings only by their kind."""
    if isinstance(value, str):
        text = value if len(value) <= 60 else f"{value[:57]}..."
        return f"`{text}`" if text.isprintable() else "the value"
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else f"`{value}`"
