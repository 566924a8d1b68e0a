"""Blocks that are known by their bytes mean what HPACK says, whatever came before them."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple
from hpack.exceptions import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.ext_authz.known_blocks import KNOWN, LARGEST, KnowingDecoder, KnowingEncoder

_LIMIT = 65_536
_names = st.sampled_from([b":path", b":method", b"te", b"x-one", b"x-two", b"grpc-status"])
_values = st.sampled_from([b"", b"POST", b"/", b"trailers", b"0", b"a" * 40, b"b" * 900])
_fields = st.builds(
    lambda kind, *field: kind(*field),
    st.sampled_from([HeaderTuple, NeverIndexedHeaderTuple]),
    _names,
    _values,
)
_blocks = st.lists(_fields, min_size=1, max_size=6)
_steps = st.lists(st.one_of(_blocks, st.sampled_from([0, 64, 300, 4_096])), max_size=30)


def _resize(size: int, *encoders: Encoder) -> None:
    """But to what it is already: hpack would forget then that it has a change before that to tell."""
    for encoder in encoders:
        if encoder.header_table_size != size:
            encoder.header_table_size = size


@pytest.mark.hypothesis
@given(_steps, st.integers(1, 3))
def test_a_known_block_is_read_as_one_that_is_new(steps: list[list[HeaderTuple] | int], times: int) -> None:
    """Among other blocks, after changes of the table's size, and again and again."""
    peer, plain, knowing = Encoder(), Decoder(), KnowingDecoder(_LIMIT)
    for step in steps:
        if isinstance(step, int):
            _resize(step, peer)
            continue
        for _ in range(times):
            block = peer.encode(step)
            assert knowing.decode(block, raw=True) == plain.decode(block, raw=True) == step


@pytest.mark.hypothesis
@given(_steps, st.integers(1, 3))
def test_a_known_block_is_written_so_that_it_is_read(
    steps: list[list[HeaderTuple] | int], times: int
) -> None:
    """By a plain reader, which has to follow every change of the table."""
    plain, knowing, peer = Encoder(), KnowingEncoder(), Decoder()
    for step in steps:
        if isinstance(step, int):
            _resize(step, plain, knowing)
            continue
        pairs = [(name, value) for name, value in step]
        for _ in range(times):
            block = knowing.encode(pairs)
            assert block == plain.encode(pairs)
            assert peer.decode(block, raw=True) == pairs


def test_what_is_remembered_has_a_bound() -> None:
    """Blocks that change nothing in the table, each another one: no more than so many are kept, each way."""
    peer, reads, writes = Encoder(), KnowingDecoder(_LIMIT), KnowingEncoder()
    for number in range(4 * KNOWN):
        pairs = [(b":method", b"GET")] * (number + 1)
        reads.decode(peer.encode(pairs), raw=True)
        writes.encode(pairs)
        assert max(len(reads._known), len(writes._known)) <= KNOWN
    assert reads._known
    assert writes._known


def test_a_small_block_that_says_much_is_not_kept() -> None:
    """A block of references to one long value: as many times as it comes it is read anew."""
    peer, reads = Encoder(), KnowingDecoder(_LIMIT)
    long = (b"x-long", b"v" * 2_000)
    reads.decode(peer.encode([long]), raw=True)
    block = peer.encode([long] * (LARGEST // 2_000 + 1))
    assert len(list(reads.decode(block, raw=True))) == LARGEST // 2_000 + 1
    assert not reads._known


def test_what_is_no_block_is_not_kept() -> None:
    """A reference to what is not in the table is refused the second time as well."""
    reads = KnowingDecoder(_LIMIT)
    for _ in range(2):
        with pytest.raises(HPACKError):
            reads.decode(b"\xfe", raw=True)
    assert not reads._known
