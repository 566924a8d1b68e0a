"""``/oauth2/security-events``: Shared Signals, pushed by their transmitter (RFC 8935); polled ones (RFC 8936) are taken
in by the same `SecurityEvents.receive`.

Acknowledged is what was done, or has nothing to do with sessions. What cannot be done is refused in words.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.http.facts import RequestFacts
from gateway.core.session.revocation_keys import token_key
from gateway.idp.remote_keys import KeySource, checked
from gateway.oidc.events.security_event import (
    HARMLESS,
    STREAM_UPDATED,
    VERIFICATION,
    Event,
    EventToken,
    Refusal,
    Transmitter,
    read_event_token,
    refusal,
)
from gateway.oidc.events.subject_ids import Namespace, subject_keys
from gateway.oidc.wire import printable
from gateway.telemetry.log import get_logger
from gateway.web.messages import Request, Response
from gateway.web.signout.inbound import Inbound, answer, complete_body, only_header, try_again
from gateway.web.statuses import status_of

WAY: Final = "security_events"
IGNORED, VERIFIED = "ignored", "verified"
_NAMED_AT_MOST: Final = 100
"""Kinds of unknown events that are named in the log, each once."""
_REFUSALS: Final = frozenset(
    {"token_rejected", "unknown_key", "malformed_subject", "unknown_format", "unmapped_subject"}
)
_log = get_logger(WAY)


@dataclass(slots=True)
class SecurityEvents:
    """Ends sessions on a transmitter's word.

    :ivar ending: names of the events that end sessions. :ivar secret: what pushes carry in ``Authorization``; None
        where nothing is asked for, since the signature says who has sent it.
    """

    transmitter: Transmitter
    namespace: Namespace
    keys: KeySource
    ending: Collection[str]
    secret: str | None = field(repr=False)
    inbound: Inbound
    _unknown: set[str] = field(default_factory=set, repr=False)

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """202 without a body; 400 with the code of RFC 8935 §2.4; 503 when it has to come again."""
        if self.secret is not None:
            given = only_header(request, b"authorization") or ""
            if not hmac.compare_digest(given.encode("latin-1"), self.secret.encode()):
                why = ProviderError("authentication_failed", "Authorization: not the agreed value")
                return self._refused(Refusal(why.code, why.detail), why, facts.client)
        if request.header(b"content-type").partition(";")[0].strip().lower() != "application/secevent+jwt":
            why = ProviderError("token_rejected", "Content-Type: not application/secevent+jwt")
            return self._refused(refusal(why), why, facts.client)
        try:
            token = (await complete_body(request)).decode("ascii", "replace").strip()
            refused = await self.receive(token, client=facts.client)
        except ProviderError:
            return try_again()
        if refused is not None:
            return _error_response(refused)
        return answer(202)

    async def receive(self, token: str, *, client: str = "") -> Refusal | None:
        """Take in a token; None when that is done, for good.

        :raises ProviderError: it has to come again: the log does not take it, or the keys cannot be had.
        """
        now = clock.now()
        try:
            found = await checked(
                self.keys,
                lambda keys: read_event_token(token, keys=keys, transmitter=self.transmitter, now=now),
            )
            keys = self._keys(found.event)
        except ProviderError as error:
            if error.retryable or error.code not in _REFUSALS:
                self.inbound.refused(WAY, ProviderError("no_keys", str(error)), client)
                raise
            self.inbound.refused(WAY, error, client)
            return refusal(error)
        if keys:
            await self._end(found, keys, now, client)
        return None

    def _keys(self, event: Event) -> tuple[str, ...]:
        """Whose sessions it ends; none for what ends none, which is acknowledged.

        :raises ProviderError: it ends sessions of somebody who has no name here.
        """
        if event.name in self.ending and not event.only_adds:
            return subject_keys(event.subject, self.namespace)
        if event.kind == VERIFICATION:
            state = event.payload.get("state")
            _log.info("stream_verified", verified=printable(state) if isinstance(state, str) else None)
            self.inbound.count(WAY, VERIFIED)
            return ()
        self.inbound.count(WAY, IGNORED)
        if event.kind == STREAM_UPDATED:
            status, why = (printable(str(event.payload.get(name))) for name in ("status", "reason"))
            _log.warning("stream_updated", status=status, why=why)
        elif event.name is None and event.kind not in HARMLESS:
            self._say_once(event.kind)
        return ()

    def _say_once(self, kind: str) -> None:
        kind = printable(kind)
        if kind not in self._unknown and len(self._unknown) < _NAMED_AT_MOST:
            self._unknown.add(kind)
            _log.info("unknown_event", kind=kind)

    async def _end(self, found: EventToken, keys: tuple[str, ...], now: int, client: str) -> None:
        token, at = token_key(self.transmitter.issuer, found.token_id), found.event.happened_at
        ended = None
        if found.event.by_user:
            ended = await self.inbound.own_news(keys, way=WAY, at=at, now=now, token_id=token)
        if ended is None:
            ended = await self.inbound.end(
                keys,
                reason=(found.event.name or "").replace("-", "_"),
                event_time=at,
                token_id=token,
                source=self.transmitter.issuer,
                now=now,
                client=client,
            )
            self.inbound.count(WAY, ended.result)
        if not ended.durable:
            raise ProviderError("not_durable", "the revocation log has not taken it yet", retryable=True)

    def _refused(self, refused: Refusal, why: ProviderError, client: str) -> Response:
        self.inbound.refused(WAY, why, client)
        return _error_response(refused)


def _error_response(refused: Refusal) -> Response:
    """RFC 8935 §2.3, which wants to know in which language the description is."""
    document = {"err": refused.code, "description": refused.description}
    return answer(status_of("token_rejected"), document, (("Content-Language", "en"),))
