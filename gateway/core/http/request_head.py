"""The head of a request, read strictly: what two parsers could read differently is refused (RFC 9112 §§2 to 7).

One grammar, without the leniencies that RFC 9112 allows: lines end with CRLF and nothing else, no folding, no space
before a colon, no control bytes, one way to frame a body. A differential test holds it to llhttp: whatever is accepted
here, llhttp reads in the same way.

Clients repeat their requests, and all of their header lines but few, so a head, or a block of header lines, that was
read before is known by its bytes. What is remembered is what they say, never what was decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.core.errors import DownstreamError
from gateway.core.http.connection_auth import binds
from gateway.core.http.facts import DoorRules, HeaderFacts, RequestFacts, complete, read_headers
from gateway.core.http.forwarded import AskingProxy, Question, caller_at, original_facts
from gateway.core.http.header_names import connection_options
from gateway.core.memo import Memo

MAX_FIELDS = 128
"""Header lines, as in aiohttp and roughly what nginx's usual buffers admit; Apache's LimitRequestFields is 100."""
KNOWN_BLOCKS = 1_024
KNOWN_HEADS = 512
LONGEST_KNOWN = 4_096
"""Bytes of a head or of its header lines that are remembered."""
BLOCKS_BYTES = 12 * 1024 * 1024
HEADS_BYTES = 8 * 1024 * 1024
"""Bytes that what was read of them may take."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(r"([A-Z-]{1,32}) ([!-~]+) HTTP/1\.([01])")
_ABSOLUTE = re.compile(r"(?i:https?)://([A-Za-z0-9._~:\[\]-]+)(/[!-~]*|\?[!-~]*)?")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
"""The grammar (RFC 9110 §8.6) allows zeros in front; whoever takes 010 for eight reads the rest as another request."""
_RELEVANT_FIELDS = frozenset(
    {b"host", b"expect", b"connection", b"content-length", b"transfer-encoding", b"authorization"}
)
_RELEVANT_LENGTHS = frozenset(map(len, _RELEVANT_FIELDS))
_TARGETS = (b"\r\nX-Original-URL:", b"\r\nX-Forwarded-Uri:", b"\r\nx-forwarded-uri:")
"""Lines with the target that is asked about, as the recipes write them. None of them is a fact, or frames a body."""
_LOST = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
"""What no head can hold, even when the rest of it has not come yet."""


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """The header lines of one request.

    :ivar headers: name and value as they came, without white space around the value.
    :ivar length: bytes of the body; 0 where there is none, or where it is ``chunked``.
    :ivar expects: it expects ``100-continue``. :ivar named: there is a Host.
    :ivar close, keep: what Connection says of the time after this request.
    :ivar facts: what the door reads in them. :ivar binds: they authenticate the connection they go on.
    """

    headers: tuple[tuple[bytes, bytes], ...]
    length: int
    chunked: bool
    expects: bool
    named: bool
    close: bool
    keep: bool
    facts: HeaderFacts
    binds: bool


def malformed(detail: str = "") -> DownstreamError:
    """The request breaks the rules of HTTP (400)."""
    return DownstreamError("malformed_request", detail)


class RequestHead:
    """The head of a request; requests with the same bytes share it."""

    __slots__ = ("_asked", "_facts", "_peer", "_question", "_rules", "block", "http10", "method", "target")

    def __init__(self, method: str, target: str, http10: bool, block: HeaderBlock) -> None:
        self.method = method
        self.target = target
        self.http10 = http10
        self.block = block
        self._facts: RequestFacts | None = None
        self._question: tuple[AskingProxy, RequestFacts] | None = None
        self._asked: tuple[str, Sequence[AskingProxy], str, bool] = ("", (), "", False)
        self._peer = ""
        self._rules: DoorRules | None = None

    @property
    def expects(self) -> bool:
        """The client waits for ``100 Continue``."""
        return self.block.expects and not self.http10

    def facts(self, peer: str, rules: DoorRules) -> RequestFacts:
        """Everything that is decided on, from these bytes and the address of the connection they came on.

        :raises DownstreamError: ``ambiguous_target``, ``ambiguous_header`` (400), ``unknown_host`` (421).
        """
        known = self._facts
        if known is None or self._peer != peer or self._rules is not rules:
            known = complete(self.method, self.target, self.block.facts, peer, rules)
            self._facts, self._peer, self._rules = known, peer, rules
        return known

    def question(
        self, peer: str, callers: Sequence[AskingProxy], path: str, *, grpc: bool
    ) -> tuple[AskingProxy, RequestFacts]:
        """Who asks by it whether a request may pass, and the facts of that one.

        :param callers: who may ask, with their secrets of now. :param path: of the questions. :param grpc: it came so.
        :raises DownstreamError: what `caller_at` and `original_facts` raise.
        """
        known, asked = self._question, (peer, callers, path, grpc)
        if known is None or self._asked != asked:
            caller = caller_at(peer, callers, grpc=grpc)
            below = self.target[len(path) :] if self.target.startswith(path) else ""
            question = Question(self.method, below, self.block.headers, self.block.facts, peer)
            known = self._question = caller, original_facts(caller, question)
            self._asked = asked
        return known


def read_head(head: bytes, longest: int) -> RequestHead:
    """A request's head; one that was read before, not long ago, is known by its bytes.

    :param head: without the end of its last line, and the empty line.
    :param longest: bytes of the request line, and of all header lines.
    :raises DownstreamError: ``malformed_request``, ``ambiguous_header``, ``headers_too_large``.
    """
    return _known_head[head, longest] if len(head) <= LONGEST_KNOWN else _read_head((head, longest))


def _read_head(asked: tuple[bytes, int]) -> RequestHead:
    head, longest = asked
    line, _, block = head.partition(b"\r\n")
    if len(line) > longest:
        raise DownstreamError("headers_too_large")
    method, target, http10 = read_request_line(line)
    fields = read_known_block(block, longest)
    if not target.startswith("/"):
        target, fields = _origin_form(target, fields)
    if http10:
        if fields.chunked:
            raise malformed("http10_chunked")
    elif not fields.named:
        raise malformed("no_host")
    return RequestHead(method, target, http10, fields)


def _origin_form(target: str, fields: HeaderBlock) -> tuple[str, HeaderBlock]:
    """Of a whole address its path and query, and its host in the place of whatever Host says (RFC 9112 §3.2.2): decided
    on and handed on is the same one. Other forms stay what they are, and are refused for it.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return target, fields
    host, rest = found[1], found[2] or "/"
    headers = [(name, value) for name, value in fields.headers if name.lower() != b"host"]
    facts = fields.facts._replace(authority=host.lower())
    fields = replace(fields, headers=((b"Host", host.encode()), *headers), facts=facts)
    return rest if rest.startswith("/") else f"/{rest}", fields


def _weight(asked: tuple[bytes, int], _: object) -> int:
    """Of what was read, by what it was read from: each line is a name, a value and a pair of them, and what the door
    reads is there once more as text, in the target several times.
    """
    return 1_800 + 8 * len(asked[0]) + 208 * asked[0].count(b"\n")


_known_head = Memo(_read_head, entries=KNOWN_HEADS, size=HEADS_BYTES, weigh=_weight)


def read_request_line(line: bytes) -> tuple[str, str, bool]:
    """Method, target, and whether it is HTTP/1.0.

    :raises DownstreamError: ``malformed_request``; for other versions of HTTP as well.
    """
    try:
        found = _REQUEST_LINE.fullmatch(line.decode("ascii"))
    except UnicodeDecodeError:
        raise malformed() from None
    if found is None:
        raise malformed()
    method, target, minor = found.groups()
    return method, target, minor == "0"


def read_block(block: bytes, longest: int) -> HeaderBlock:
    """The header lines of a request.

    :param block: without the line end of the last one; empty when there is none.
    :param longest: bytes of all of them.
    :raises DownstreamError: ``malformed_request``, ``ambiguous_header``, ``headers_too_large``.
    """
    lines = block.split(b"\r\n") if block else []
    if len(lines) > MAX_FIELDS or len(block) > longest:
        raise DownstreamError("headers_too_large")
    headers = tuple([_field(line) for line in lines])
    facts = read_headers(headers)
    fields: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if len(name) in _RELEVANT_LENGTHS and (lower := name.lower()) in _RELEVANT_FIELDS:
            fields.setdefault(lower, []).append(value)
    bound = any(map(binds, fields.get(b"authorization", ())))
    return HeaderBlock(headers, *_framing(fields), b"host" in fields, *_connection(fields), facts, bound)


def _read_apart(asked: tuple[bytes, int]) -> HeaderBlock:
    """The same. A question of a proxy in front has the target of somebody's request in a line, another one with most
    requests, and all other lines as before: these are looked for without it, and it comes last. No upstream is told it,
    and twice, also in another spelling, it is ambiguous in any order.
    """
    block, longest = asked
    if len(block) > longest:
        raise DownstreamError("headers_too_large")
    # At the very beginning of a block it follows an empty line, and such a block is refused as a whole.
    name = next((name for name in _TARGETS if block.find(name) > 0 and block.count(name) == 1), None)
    if name is None:
        return read_block(block, longest)
    at = block.index(name)
    end = block.find(b"\r\n", at + 2)
    line, behind = (block[at + 2 :], b"") if end < 0 else (block[at + 2 : end], block[end:])
    rest = read_known_block(block[:at] + behind, longest)
    if len(rest.headers) >= MAX_FIELDS:
        raise DownstreamError("headers_too_large")
    return HeaderBlock(
        (*rest.headers, _field(line)),
        rest.length,
        rest.chunked,
        rest.expects,
        rest.named,
        rest.close,
        rest.keep,
        rest.facts,
        rest.binds,
    )


_known_block = Memo(_read_apart, entries=KNOWN_BLOCKS, size=BLOCKS_BYTES, weigh=_weight)


def read_known_block(block: bytes, longest: int) -> HeaderBlock:
    """The same; one that was read before, not long ago, is known by its bytes."""
    return _known_block[block, longest] if len(block) <= LONGEST_KNOWN else read_block(block, longest)


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise malformed()
    name, value = found.groups()
    return name, value.strip(b" \t")


def is_field(line: bytes) -> bool:
    """Whether ``line`` is a header (or trailer) line."""
    return _FIELD.fullmatch(line) is not None


def _framing(fields: Mapping[bytes, Sequence[bytes]]) -> tuple[int, bool, bool]:
    """Length, chunked, expectation. That neither comes twice, nor both of them, is known already."""
    codings = fields.get(b"transfer-encoding")
    if codings and codings[0].lower() != b"chunked":
        raise DownstreamError("ambiguous_header", "coding")
    lengths = fields.get(b"content-length")
    if lengths and _LENGTH.fullmatch(lengths[0]) is None:
        raise malformed("bad_length")
    expects = any(value.lower() == b"100-continue" for value in fields.get(b"expect", ()))
    return int(lengths[0]) if lengths else 0, bool(codings), expects


def _connection(fields: Mapping[bytes, Sequence[bytes]]) -> tuple[bool, bool]:
    options = frozenset[bytes]().union(*map(connection_options, fields.get(b"connection", ())))
    return b"close" in options, b"keep-alive" in options


def check_beginning(data: bytes, at: int, checked: int, longest: int) -> None:
    """Whether what begins at ``at`` can still become a head; what cannot is not waited for.

    :param checked: up to where ``data`` has been found good before; it is not looked at again.
    :raises DownstreamError: ``malformed_request``, ``headers_too_large``.
    """
    if _LOST.search(data, max(at, checked - 1)) is not None:
        raise malformed()
    end = data.find(b"\r\n", at)
    if end < 0:
        line, block = (
            len(data) - at - len(b"\r"),
            0,
        )  # the end of the line may have begun, or that of the head
    else:
        line, block = end - at, len(data) - end - len(b"\r\n\r\n\r")
        if checked < end + 2:
            read_request_line(data[at:end])
    if max(line, block) > longest:
        raise DownstreamError("headers_too_large")
