"""``/oauth2/okta-events``: Okta event hooks (facts B.8, rule R21).

Okta proves itself by a shared secret, waits for three seconds, and tries once more after a 5xx or no answer, never
after a 4xx. So what is understood and cannot be done is acknowledged and said in the log; only what failed here is 503.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.http.facts import RequestFacts
from gateway.core.session.revocation_keys import token_key
from gateway.oidc.events.okta_event import ENDING, MAX_DELIVERY, OktaEvent, read_delivery, verification
from gateway.oidc.events.subject_ids import Namespace
from gateway.oidc.wire import printable
from gateway.telemetry.log import get_logger
from gateway.web.messages import Request, Response
from gateway.web.signout.inbound import (
    NOT_DURABLE,
    OWN_HOP,
    Ended,
    Inbound,
    answer,
    complete_body,
    only_header,
    try_again,
)
from gateway.web.statuses import status_of

WAY: Final = "okta_event_hook"
IGNORED, UNMAPPED = "ignored", "unmapped_subject"
_NAMED_AT_MOST: Final = 100
"""Kinds of events that are named in the log because nothing is done about them, each once."""
_log = get_logger(WAY)


@dataclass(slots=True)
class OktaEvents:
    """Ends sessions on the word of whoever knows the secret.

    :ivar secret: the whole value of ``Authorization``. :ivar namespace: of the org whose user ids the events have; None
        where only e-mail addresses count. :ivar by_users: whether a plain sign-out at Okta ends anything here.
    """

    secret: str = field(repr=False)
    namespace: Namespace | None
    by_users: bool
    inbound: Inbound
    _unused: set[str] = field(default_factory=set, repr=False)

    async def verify(self, request: Request, _: RequestFacts) -> Response:
        """Okta's one question before the first delivery, answered with itself."""
        challenge = verification(only_header(request, b"x-okta-verification-challenge") or "")
        if challenge is None:
            return _refused("no_challenge")
        return answer(200, {"verification": challenge})

    async def deliver(self, request: Request, facts: RequestFacts) -> Response:
        """204 when everything in the delivery is done; 400, 401; 503 when it has to come again."""
        given = only_header(request, b"authorization") or ""
        if not hmac.compare_digest(given.encode("latin-1"), self.secret.encode()):
            why = ProviderError("wrong_secret", "Authorization: not the agreed value")
            self.inbound.refused(WAY, why, facts.client)
            challenge = (("WWW-Authenticate", 'Secret realm="okta-events"'),)
            return _refused(why.code, challenge)
        try:
            events = read_delivery(await complete_body(request, MAX_DELIVERY))
        except ProviderError as error:
            self.inbound.refused(WAY, error, facts.client)
            return _refused(error.code)
        # All at once: each waits for the log on its own, and Okta does not wait for the sum.
        results = await asyncio.gather(*(self._take(event, facts.client) for event in events))
        return try_again() if NOT_DURABLE in results else answer(204)

    async def _take(self, event: OktaEvent, client: str) -> str:
        """What became of an event, which is counted."""
        if (own := await self._own_news(event)) is not None:
            return OWN_HOP if own.durable else NOT_DURABLE
        result = await self._ended(event, client)
        self.inbound.count(WAY, result)
        return result

    async def _own_news(self, event: OktaEvent) -> Ended | None:
        """See there; only what a user did can be."""
        if event.kind not in ENDING or not event.by_user or not self.by_users or event.user is None:
            return None
        now, token = clock.now(), None if event.event_id is None else token_key(WAY, event.event_id)
        at = now if event.published is None else event.published
        keys = event.user.keys(self.namespace)
        return await self.inbound.own_news(keys, way=WAY, at=at, now=now, token_id=token)

    async def _ended(self, event: OktaEvent, client: str) -> str:
        """What became of one that is no news of our own."""
        if event.kind not in ENDING or (event.by_user and not self.by_users):
            self._say_once(event.kind)
            return IGNORED
        keys = event.user.keys(self.namespace) if event.user is not None else ()
        if not keys:
            _log.warning("event_names_nobody", kind=event.kind, event_id=printable(event.event_id or ""))
            return UNMAPPED
        now = clock.now()
        happened_at = now if event.published is None else event.published
        ended = await self.inbound.end(
            keys,
            reason=event.kind.replace(".", "_"),
            event_time=happened_at,
            token_id=None if event.event_id is None else token_key(WAY, event.event_id),
            source=WAY if self.namespace is None else self.namespace.issuer,
            now=now,
            client=client,
        )
        return ended.result

    def _say_once(self, kind: str) -> None:
        kind = printable(kind)
        if kind not in self._unused and len(self._unused) < _NAMED_AT_MOST:
            self._unused.add(kind)
            _log.info("event_unused", kind=kind)


def _refused(code: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    return answer(status_of(code), {"error": code}, headers)
