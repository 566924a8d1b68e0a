"""The text of a key file: one line, 32 random bytes in base64 or base64url (design section 4).

A key somebody typed, copied from an example or left at its default makes every cookie forgeable, and nothing
else would ever show it. So a key is refused unless it looks drawn at random; the odds that a random key is
refused are below one in a million, and ``gateway keys new`` never prints such a one.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

KEY_BYTES = 32
MAKE_ONE = "make one with `gateway keys new` or `openssl rand -base64 32`"
_FEWEST_DISTINCT = 16
"""32 random bytes have about 30 different values; fewer than 16 happens once in 10^18 keys."""
_PLACEHOLDERS = (
    "changeme", "changeit", "change-me", "change_me", "placeholder", "replace", "example", "default", "secret",
    "password", "insecure", "yourkey", "dummykey", "testkey", "demokey", "sessionkey", "abcdefgh", "12345678",
)  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}|[A-Za-z0-9_-]+={0,2}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def parse_key(text: str) -> bytes:
    """The 32 bytes of the key that ``text``, the content of a key file, spells.

    :raises ValueError: missing, malformed, of the wrong length, or not random; the message gives a plain
        reason that reads on after "the key", and never the key.
    """
    line = _only_line(text)
    raw = _decoded(line)
    if len(raw) != KEY_BYTES:
        raise ValueError(f"is {len(raw)} bytes long instead of {KEY_BYTES}")
    _refuse_guessable(line, raw)
    return raw


def format_key(raw: bytes) -> str:
    """The line of a key file for these 32 bytes, in base64url without its line end."""
    return base64.urlsafe_b64encode(raw).decode("ascii")


def _only_line(text: str) -> str:
    if "-----BEGIN" in text:
        raise ValueError("is a PEM file (a certificate or a key for TLS), not a session key")
    lines = text.strip().splitlines()
    if not lines:
        raise ValueError("is empty")
    if len(lines) > 1:
        raise ValueError("is not alone: the file has more than one line")
    return lines[0]


def _decoded(line: str) -> bytes:
    if _HEXADECIMAL.fullmatch(line):
        raise ValueError("is written in hexadecimal instead of base64")
    lowered = line.lower()
    for word in _PLACEHOLDERS:
        if word in lowered:
            raise ValueError(f"is a placeholder: it contains `{word}`")
    if not _BASE64.fullmatch(line):
        raise ValueError("is not base64 or base64url")
    body = line.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 or base64url: a part of it is missing") from None


def _refuse_guessable(line: str, raw: bytes) -> None:
    if len(set(raw)) < _FEWEST_DISTINCT:
        raise ValueError("is not random: the same few bytes repeat in it")
    if len({(after - before) % 256 for before, after in pairwise(raw)}) == 1:
        raise ValueError("is not random: its bytes count up or down")
    if all(0x20 <= byte < 0x7F for byte in raw):
        raise ValueError("is not random: it is readable text in base64")
    if raw[: KEY_BYTES // 2] == raw[KEY_BYTES // 2 :]:
        raise ValueError("is not random: its second half repeats the first")
    if line.rstrip("=").isalpha() and (line.islower() or line.isupper()):
        raise ValueError("is not random: it has only letters of one case")
