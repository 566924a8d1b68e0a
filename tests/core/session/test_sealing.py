"""Sealing: the key ring, what binds a box, and what hostile boxes meet (rule R26, CVE table 4.5)."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import dice
from gateway.core.session.key_file import format_key
from gateway.core.session.sealing import (
    MAX_INFLATED,
    PROMOTE_AFTER,
    Deployment,
    Failure,
    KeyRing,
    Opened,
    SealingKey,
    associated_data,
)

NOW = 1_700_000_000
HERE = Deployment("https://app.example.com", "https://idp.example.com", "client")
OURS = associated_data("session", "__Host-session", HERE)
FIRST, SECOND, THIRD = (SealingKey.of(bytes([n]) * 31 + b"k") for n in range(3))


def ring(*keys: SealingKey, since: int = NOW - PROMOTE_AFTER) -> KeyRing:
    return KeyRing(keys or (FIRST,), now=since)


def boxed(text: bytes, key: bytes = bytes([0]) * 31 + b"k") -> bytes:
    """A box with exactly this deflated text, sealed as ours are."""
    sealing = SealingKey.of(key)
    nonce = dice.nonce96()
    return sealing.key_id + nonce + sealing.cipher.encrypt(nonce, text, OURS)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=60) | st.integers() | st.none(), max_size=6))
def test_what_is_sealed_opens(plain: dict[str, object]) -> None:
    """Any JSON object comes back as it was."""
    opened = ring().open(ring().seal(plain, OURS, now=NOW), OURS, now=NOW)
    assert opened == Opened(plain, outdated=False)


def test_two_seals_of_the_same_are_different() -> None:
    """The nonce is random, so equal sessions give unequal boxes (CVE-2021-32791)."""
    boxes = {ring().seal({}, OURS, now=NOW) for _ in range(200)}
    assert len(boxes) == 200
    assert len({box[4:16] for box in boxes}) == 200


@pytest.mark.parametrize(
    "other",
    [
        associated_data("login", "__Host-session", HERE),
        associated_data("session", "__Host-logout", HERE),
        associated_data("session", "__Host-session", replace(HERE, public_url="https://staging.example.com")),
        associated_data("session", "__Host-session", replace(HERE, issuer="https://idp.example.org")),
        associated_data("session", "__Host-session", replace(HERE, client_id="client2")),
        b"",
    ],
)
def test_r26_a_box_is_bound_to_its_place(other: bytes) -> None:
    """Another purpose, cookie, public URL, issuer or client opens nothing: staging's cookie is nothing here."""
    assert ring().open(ring().seal({"a": 1}, OURS, now=NOW), other, now=NOW) is Failure.FORGED


@given(
    st.lists(st.text(max_size=6), min_size=5, max_size=5),
    st.lists(st.text(max_size=6), min_size=5, max_size=5),
)
def test_r26_no_two_places_read_the_same(one: list[str], two: list[str]) -> None:
    """The parts are length-prefixed, so moving a character from one to the next changes the whole."""

    def read(parts: list[str]) -> bytes:
        kind, key_id, *place = parts
        return associated_data(kind, key_id, Deployment(*place))

    assert (read(one) == read(two)) == (one == two)


def test_cve_2026_47775_every_flipped_bit_is_noticed() -> None:
    """A box with any one bit changed does not open, and says no more than that."""
    box = ring().seal({"user": "alice"}, OURS, now=NOW)
    for at in range(len(box) * 8):
        changed = bytearray(box)
        changed[at // 8] ^= 1 << at % 8
        assert ring().open(bytes(changed), OURS, now=NOW) in {Failure.FORGED, Failure.UNKNOWN_KEY}


@given(st.binary(max_size=200))
def test_cve_2023_28625_random_bytes_never_raise(box: bytes) -> None:
    """Whatever a browser sends is a failure and not an exception."""
    assert isinstance(ring().open(box, OURS, now=NOW), Failure)
    assert isinstance(ring().open(FIRST.key_id + box, OURS, now=NOW), Failure)


@pytest.mark.parametrize("size", [MAX_INFLATED + 1, MAX_INFLATED * 1000])
def test_a_decompression_bomb_is_not_inflated(size: int) -> None:
    """More than 64 KiB is refused; a box of 1000:1 costs no more than the bound."""
    assert (
        ring().open(boxed(zlib.compress(b'{"a":"' + b"x" * size + b'"}', 9)), OURS, now=NOW)
        is Failure.MALFORMED
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"junk", zlib.compress(b"{}")[:-1], zlib.compress(b"[1]"), zlib.compress(b"nul"), zlib.compress(b"\xff"),
     zlib.compress(b"[" * 60_000), zlib.compress(b'"' + b"a" * 100)],
)  # fmt: skip
def test_a_sealed_text_that_is_no_object_is_malformed(text: bytes) -> None:
    """Broken deflate, truncated deflate, deep nesting and anything but a JSON object are refused."""
    assert ring().open(boxed(text), OURS, now=NOW) is Failure.MALFORMED


def test_just_as_much_as_is_allowed_is_inflated() -> None:
    """64 KiB to the byte still open."""
    text = json.dumps({"a": "x" * (MAX_INFLATED - 9)}).encode()
    assert len(text) == MAX_INFLATED
    assert isinstance(ring().open(boxed(zlib.compress(text)), OURS, now=NOW), Opened)


def test_r26_a_new_key_opens_at_once_and_seals_later() -> None:
    """For five minutes a newly seen key only opens, so that no replica meets a cookie it cannot read."""
    keys = ring(FIRST)
    keys.replace([SECOND, FIRST], now=NOW)
    assert keys.sealing_key(NOW + PROMOTE_AFTER - 1) is FIRST
    assert keys.sealing_key(NOW + PROMOTE_AFTER) is SECOND
    by_second = ring(SECOND).seal({}, OURS, now=NOW)
    assert keys.open(by_second, OURS, now=NOW) == Opened({}, outdated=False)


def test_r26_a_rolling_update_logs_nobody_out() -> None:
    """While replicas have read the new key or not yet, each opens what any other seals."""
    old, new = ring(FIRST), ring(FIRST)
    new.replace([SECOND, FIRST], now=NOW)
    for at in (NOW, NOW + PROMOTE_AFTER - 1):
        for one, other in ((old, new), (new, old)):
            assert isinstance(other.open(one.seal({}, OURS, now=at), OURS, now=at), Opened)


def test_r26_a_replaced_key_opens_but_is_outdated() -> None:
    """What the old key sealed opens and is worth sealing anew once the new key seals, not before."""
    box = ring(FIRST).seal({}, OURS, now=NOW)
    keys = ring(FIRST)
    keys.replace([SECOND, FIRST], now=NOW)
    before, after = (keys.open(box, OURS, now=at) for at in (NOW, NOW + PROMOTE_AFTER))
    assert isinstance(before, Opened) and not before.outdated
    assert isinstance(after, Opened) and after.outdated


def test_r26_a_fresh_replica_does_not_undo_what_older_ones_seal() -> None:
    """A replica that has just started seals with the older key, but leaves the newer key's cookies alone."""
    box = ring(SECOND, FIRST).seal({}, OURS, now=NOW)
    fresh = ring(SECOND, FIRST, since=NOW)
    assert fresh.sealing_key(NOW) is FIRST
    assert fresh.open(box, OURS, now=NOW) == Opened({}, outdated=False)


def test_r26_an_unknown_key_is_told_from_a_forgery() -> None:
    """A box of a key that is not on the ring may be another replica's; one of ours that does not open is forged."""
    assert ring(FIRST).open(ring(SECOND).seal({}, OURS, now=NOW), OURS, now=NOW) is Failure.UNKNOWN_KEY


def test_a_retired_key_opens_nothing() -> None:
    """Once its file is gone, a key's cookies are no sessions."""
    keys = ring(SECOND, FIRST)
    box = ring(FIRST).seal({}, OURS, now=NOW)
    version = keys.version
    keys.replace([SECOND], now=NOW)
    assert keys.open(box, OURS, now=NOW) is Failure.UNKNOWN_KEY
    assert keys.version == version + 1


def test_a_ring_without_keys_is_refused() -> None:
    """CVE-2026-54762: no key is an error, never an open door."""
    with pytest.raises(ValueError, match="at least one"):
        ring().replace([], now=NOW)


def test_keys_are_not_in_what_is_printed() -> None:
    """The repr of a key shows its public name only."""
    assert "cipher" not in repr(FIRST)
    assert repr(SealingKey.of(b"\x00" * 31 + b"k")) == repr(FIRST)


def test_cve_2023_35941_nothing_outside_the_box_counts() -> None:
    """Deadlines live inside the sealed text: bytes added behind it make it a forgery."""
    box = ring().seal({"d": NOW}, OURS, now=NOW)
    assert ring().open(box + b"\x00", OURS, now=NOW) is Failure.FORGED


def test_a_key_is_read_from_its_file_s_text() -> None:
    """The same key has the same id wherever it is read, and a placeholder is none."""
    raw = dice.key()
    made, read = SealingKey.of(raw), SealingKey.parse(format_key(raw) + "\n")
    assert read.key_id == made.key_id
    box = ring(made).seal({"a": 1}, OURS, now=NOW)
    assert KeyRing([read], now=NOW).open(box, OURS, now=NOW) == Opened({"a": 1}, outdated=False)
    with pytest.raises(ValueError, match="placeholder"):
        SealingKey.parse("YOUR-SESSION-KEY-EXAMPLE-00000000000000000")
