"""Key files: what is a key and what is only something somebody typed."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import dice
from gateway.core.session.key_file import format_key, parse_key

GOOD = hashlib.sha256(b"a stand-in for 32 random bytes").digest()


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["kept", "dropped"])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_both_alphabets_are_read(encode, padding, ending):
    """A key in base64 or base64url, with or without padding and line end, is its 32 bytes."""
    raw = hashlib.sha256(b"gives + and / in base64: 3").digest()
    text = encode(raw).decode()
    text = text if padding == "kept" else text.rstrip("=")

    assert raw == parse_key(text + ending)


def test_a_formatted_key_parses_again():
    """What `gateway keys new` prints is one line that the gateway reads back."""
    assert parse_key(format_key(GOOD)) == GOOD
    assert "\n" not in format_key(GOOD)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("   \n", "is empty"),
        (format_key(GOOD) + "\n" + format_key(GOOD), "more than one line"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "PEM"),
        (GOOD.hex(), "hexadecimal"),
        ("correct horse battery staple", "not base64"),
        ("ab+/ab-_" * 5 + "abc=", "not base64"),
        ("A" * 41, "a part of it is missing"),
        (format_key(GOOD[:16]), "16 bytes long instead of 32"),
        (format_key(b"\x01\xff" * 16), "the same few bytes repeat"),
        (format_key(bytes(range(7, 39))), "count up or down"),
        (format_key(b"The quick brown fox jumps at it."), "readable text"),
        (format_key(bytes(at * at % 251 for at in range(16)) * 2), "second half repeats the first"),
        ("qwertzuiopasdfghjklyxcvbnmqwerztuioplkjhgfd", "letters of one case"),
        (format_key(GOOD + GOOD), "64 bytes long instead of 32"),
        ("changeme", "contains `changeme`"),
        ("ThisIsMySuperSecretSessionKeyDoNotUseItNow0", "placeholder"),
        ("YOUR-SESSION-KEY-EXAMPLE-00000000000000000", "placeholder"),
    ],
)
def test_what_is_not_a_key_is_refused_with_its_reason(text, reason):
    """Malformed, short and placeholder keys are refused, and the message names the reason, not the key."""
    with pytest.raises(ValueError, match=reason) as caught:
        parse_key(text)

    assert len(text) < 20 or text not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        bytes(32),
        b"\xff" * 32,
        b"\x00\x01" * 16,
        bytes(range(32)),
        bytes(range(255, 223, -1)),
        b"the quick brown fox jumps over!!",
        GOOD[:16] * 2,
    ],
    ids=["zeros", "ones", "pattern", "counting up", "counting down", "readable", "halves"],
)
def test_bytes_that_nobody_drew_are_refused(raw):
    """All zero, repeated, counted and readable keys are refused as not random."""
    with pytest.raises(ValueError, match="not random"):
        parse_key(base64.b64encode(raw).decode())


def test_drawn_keys_are_accepted():
    """A thousand random keys all pass: the checks cost no honest operator anything."""
    for _ in range(1000):
        raw = dice.key()

        assert raw == parse_key(format_key(raw))


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_a_plain_refusal(text):
    """No text makes the parser fail in any other way than by its refusal."""
    try:
        raw = parse_key(text)
    except ValueError as refusal:
        assert str(refusal).startswith("is ")
    else:
        assert len(raw) == 32


@given(st.binary(min_size=12, max_size=60).filter(lambda raw: len(raw) != 32))
def test_a_refusal_does_not_repeat_the_key(raw):
    """A key of the wrong length may be in use elsewhere."""
    text = base64.b64encode(raw).decode()

    with pytest.raises(ValueError, match=r"^is ") as caught:
        parse_key(text)

    assert text not in str(caught.value)
