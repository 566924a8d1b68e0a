"""The common part of every way in: others end sessions here, each by a protocol of its own.

Whatever the protocol, it comes down to entries in the revocation log. A success is answered only when the log has them
(rule R5), so whoever is told "done" need not come again; a token that was taken once is remembered in the same log, so
that a replay is known in every process, and after a restart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.core.errors import DownstreamError, GatewayError
from gateway.core.signout.revocation import UNPLACED, Entry, NewEntry
from gateway.state.contract.log import RevocationLog, in_step
from gateway.telemetry.log import get_logger
from gateway.telemetry.seldom import Seldom
from gateway.web.messages import Request, Response
from gateway.web.pages.respond import send
from gateway.web.pages.shell import Page, own_headers
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.web.statuses import status_of

MAX_BODY = 65_536
"""Bytes of a body, where a way in does not take more."""
BODY_WITHIN = 10.0
"""Seconds for a whole body."""
RETRY_AFTER = 5
"""Seconds after which it is worth trying again."""
_log = get_logger("inbound")
NOT_DURABLE, REPLAYED, ENDED, OWN_HOP = "not_durable", "replayed", "ended", "own_hop"


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of it.

    :ivar durable: the log has it: only then may the caller be told that it is done. If not, it is ended in this process
        and will be in the others; the caller should come again.
    :ivar replayed: it was done when this token came before.
    """

    durable: bool
    replayed: bool = False

    @property
    def result(self) -> str:
        """For the metric ``gateway_inbound_total``."""
        if not self.durable:
            return NOT_DURABLE
        return REPLAYED if self.replayed else ENDED


class Inbound:
    """Ends sessions on the word of others.

    :param lifetime: seconds an entry must live to outlast every session.
    """

    def __init__(self, *, log: RevocationLog, revoker: Revoker, events: SessionEvents, lifetime: int) -> None:
        self._log = log
        self._revoker = revoker
        self._events = events
        self._lifetime = lifetime
        self._seldom = Seldom()

    async def end(
        self,
        keys: Sequence[str],
        *,
        reason: str,
        event_time: int | None,
        token_id: str | None,
        source: str,
        now: int,
        client: str = "",
        token_until: int | None = None,
    ) -> Ended:
        """End what ``keys`` name, once for each token.

        :param keys: of ``core/signout/revocation.py``; none is no error: the token alone is remembered then.
        :param reason: of a closed set; it is told in metrics, the audit trail and to whoever is signed out.
        :param event_time: when it happened, if the sender says; capped at ``now`` (rule R6).
        :param token_id: `token_key` of the token that asks for it, None where there is none.
        :param source: who asks, by the name the configuration or the token has for it; ``client`` from where.
        :param token_until: when that token can no longer be accepted; None: as long as a session can last.
        """
        if token_id is not None and (before := await self._taken(token_id, now)) is not None:
            return Ended(durable=before.position != UNPLACED, replayed=True)
        until = now + self._lifetime
        entries = [NewEntry(key, until, reason, event_time) for key in dict.fromkeys(keys)]
        if token_id is not None:
            entries.append(NewEntry(token_id, until if token_until is None else token_until, reason))
        if not entries:
            return Ended(durable=True)

        def tell(entry: NewEntry, durable: bool) -> None:
            self._events.ended_by_others(entry.key, reason, durable=durable, source=source, client=client)

        return Ended((await self._revoker.end(entries, tell)).durable)

    async def own_news(
        self,
        keys: Sequence[str],
        *,
        way: str,
        at: int,
        now: int,
        token_id: str | None,
        until: int | None = None,
    ) -> Ended | None:
        """What became of news of a sign-out that began here (rule R21): it is remembered as heard, and ends nothing.
        None where what happened to these subjects at ``at`` is no such news, or it came before.

        :param token_id: as :meth:`end` has it, ``until`` its ``token_until``.
        """
        if token_id is not None and await self._taken(token_id, now) is not None:
            return None
        news = (await in_step(self._log)).own_news(keys, way=way, at=at, now=now)
        if not news:
            return None
        until = now + self._lifetime if until is None else until
        taken = [NewEntry(token_id, until, OWN_HOP)] if token_id is not None else []
        ended = Ended((await self._log.append([*news, *taken])).durable)
        self.count(way, OWN_HOP if ended.durable else NOT_DURABLE)
        return ended

    def refused(self, way: str, error: GatewayError, client: str) -> None:
        """A call was refused: counted by the error's code, and told in the log, though not each time."""
        self._events.inbound(way, error.code)
        if times := self._seldom.due(way):
            _log.warning(
                "inbound_refused", way=way, reason=error.code, detail=error.detail, client=client, times=times
            )

    def count(self, way: str, result: str) -> None:
        """A call was answered; both words are of closed sets."""
        self._events.inbound(way, result)

    async def _taken(self, token_id: str, now: int) -> Entry | None:
        """The entry of this token, if it came before, in whichever process."""
        before = (await in_step(self._log)).taken(token_id, now)
        if before is not None and before.position == UNPLACED:
            await self._log.catch_up()  # it may just be on its way, when the sender is impatient
            before = self._log.index.taken(token_id, now) or before
        return before


def only_header(request: Request, name: bytes) -> str | None:
    """The value of a header that came once; None where it did not come, or came again. ``name`` is lower-case."""
    values = [value for key, value in request.headers if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else None


async def complete_body(request: Request, most: int = MAX_BODY) -> bytes:
    """The request's body, bounded in size and time.

    :param most: bytes.
    :raises DownstreamError: ``too_large``, ``too_slow``, ``broken_body``.
    """
    body = request.body
    if body is None:
        return b""
    body.accept()
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while piece := await body.read():
                found += piece
                if len(found) > most:
                    raise DownstreamError("too_large", "limit", most=most)
    except TimeoutError:
        raise DownstreamError("too_slow") from None
    return bytes(found)


def answer(
    status: int, document: Mapping[str, object] | None = None, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """An answer to a program, with a JSON object or empty; never stored."""
    own = own_headers("application/json", "default-src 'none'")
    if document is None:
        return send(Page(status, b"", own[1:]), headers=headers)  # without a type of what is not there
    return send(Page(status, json.dumps(document).encode(), own), headers=headers)


def try_again(document: Mapping[str, object] | None = None) -> Response:
    """503: it is not durable yet, or the keys to judge it by cannot be had; the same call may come again."""
    return answer(status_of("not_durable"), document, (("Retry-After", str(RETRY_AFTER)),))
