"""``/oauth2/backchannel-logout``: the provider itself says that a session has ended (Back-Channel Logout 1.0).

No browser is involved: cookies are not looked at, and what protects from forged requests of browsers does not apply,
for the signed token is all there is to believe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.http.facts import RequestFacts
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signout.logout_token import MAX_AGE
from gateway.telemetry.log import get_logger
from gateway.web.messages import Request, Response
from gateway.web.signout.inbound import Inbound, answer, complete_body, try_again
from gateway.web.statuses import status_of

WAY = "backchannel"
_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 50
_UNAVAILABLE = {"error": "temporarily_unavailable"}
_log = get_logger(WAY)


@dataclass(slots=True)
class Backchannel:
    """Ends the session, or all sessions of the subject, that a logout token names."""

    provider: IdentityProvider
    inbound: Inbound
    _undated_logged: bool = field(default=False, repr=False)

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """200 when it is done, also when it was done before; 400 for a token that is none, 503 when it may come again.

        A replay is answered as the first call was, for a provider that has not heard that answer asks again; §2.7 wants
        a user who is signed out already to be a success.
        """
        now = clock.now()
        try:
            token = _logout_token(request.header(b"content-type"), await complete_body(request))
            found = await self.provider.verify_logout_token(token, now=now)
        except ProviderError as error:
            return self._refused(error, facts.client)
        if not found.dated and not self._undated_logged:
            self._say_undated()
        if found.session is None:
            # Somebody signed out here, the chain ended the session there, and this may be the provider's word of it. As
            # it names no session, it would end those of the same person in other browsers.
            own = await self.inbound.own_news(
                found.keys, way=WAY, at=found.issued_at, now=now, token_id=found.key, until=found.until
            )
            if own is not None:
                return answer(200) if own.durable else try_again(_UNAVAILABLE)
        ended = await self.inbound.end(
            found.keys,
            reason=WAY,
            event_time=found.issued_at,
            token_id=found.key,
            token_until=found.until,
            source=found.issuer,
            client=facts.client,
            now=now,
        )
        self.inbound.count(WAY, ended.result)
        return answer(200) if ended.durable else try_again(_UNAVAILABLE)

    def _say_undated(self) -> None:
        """Once in a process: each token of such a provider is like this."""
        self._undated_logged = True
        _log.info(
            "logout_token_without_exp",
            taken_for=MAX_AGE,
            why="the provider puts no exp into logout tokens; they count for this many seconds after iat",
        )

    def _refused(self, error: ProviderError, client: str) -> Response:
        if error.code == "token_rejected" or (error.code == "unknown_key" and not error.retryable):
            self.inbound.refused(WAY, error, client)
            return answer(
                status_of(error.code), {"error": "invalid_request", "error_description": error.detail}
            )
        self.inbound.refused(WAY, ProviderError("no_keys", str(error)), client)
        return try_again(_UNAVAILABLE)


def _logout_token(content_type: str, body: bytes) -> str:
    """The one parameter that counts (§2.5); others may be there.

    :raises ProviderError: ``token_rejected``: it is not there exactly once, in a form.
    """
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise ProviderError("token_rejected", f"Content-Type: not {_FORM}")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:  # UnicodeDecodeError is one
        raise ProviderError("token_rejected", "form: not a form, or one with too many fields") from None
    found = [value for name, value in pairs if name == "logout_token"]
    if len(found) != 1:
        raise ProviderError("token_rejected", f"logout_token: came {len(found)} times, not once")
    return found[0]
