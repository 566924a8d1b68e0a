"""``/oauth2/global-token-revocation``: Okta Universal Logout (facts B.6).

Okta looks at the status alone. 204 says that the user's sessions are dead, in every process and after a restart; there
is no 404, because the gateway keeps no list of users: whoever may sign in later is as unknown as whoever never was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.http.facts import RequestFacts
from gateway.core.session.revocation_keys import token_key
from gateway.idp.remote_keys import KeySource, checked
from gateway.oidc.events.subject_ids import Namespace, subject_keys
from gateway.oidc.jose.signed_token import LEEWAY
from gateway.oidc.signout.universal_logout import LONGEST_LIFE, Call, Caller, read_bearer, read_body
from gateway.state.contract.log import RevocationLog
from gateway.web.messages import Request, Response
from gateway.web.signout.inbound import Inbound, answer, complete_body, only_header, try_again
from gateway.web.statuses import UNIVERSAL_LOGOUT

WAY: Final = "universal_logout"


@dataclass(frozen=True, slots=True)
class UniversalLogout:
    """Ends all sessions of a user on the issuer's word."""

    caller: Caller
    namespace: Namespace
    keys: KeySource
    inbound: Inbound
    log: RevocationLog

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """204; 400, 401, 403, 422 say what is wrong; 503 when it has to come again."""
        now = clock.now()
        try:
            call = await self._call(request, now)
            if request.header(b"content-type").partition(";")[0].strip().lower() != "application/json":
                raise ProviderError("malformed_request", "the request is not application/json")
            keys = subject_keys(read_body(await complete_body(request)), self.namespace)
        except ProviderError as error:
            return self._refused(error, facts.client)
        ended = await self.inbound.end(
            keys,
            reason=WAY,
            event_time=call.issued_at,
            token_id=token_key(self.caller.issuer, call.token_id),
            source=self.caller.issuer,
            now=now,
            client=facts.client,
            token_until=now + LONGEST_LIFE + 2 * LEEWAY,
        )
        if ended.replayed and not all(self.log.index.is_ended(key, now) for key in keys):
            # The token does not cover the body: only for those whom it has ended it may come again.
            reused = ProviderError("token_rejected", "jti: the token was used before, for somebody else")
            return self._refused(reused, facts.client)
        self.inbound.count(WAY, ended.result)
        return answer(204) if ended.durable else try_again()

    async def _call(self, request: Request, now: int) -> Call:
        scheme, _, token = (only_header(request, b"authorization") or "").partition(" ")
        if scheme.lower() != "bearer":
            raise ProviderError("token_rejected", "form: no bearer token")
        return await checked(
            self.keys, lambda keys: read_bearer(token.strip(), keys=keys, caller=self.caller, now=now)
        )

    def _refused(self, error: ProviderError, client: str) -> Response:
        status = None if error.retryable else UNIVERSAL_LOGOUT.get(error.code)
        if status is None:
            self.inbound.refused(WAY, ProviderError("no_keys", str(error)), client)
            return try_again()
        self.inbound.refused(WAY, error, client)
        challenge = (("WWW-Authenticate", 'Bearer error="invalid_token"'),) if status == 401 else ()
        return answer(status, {"error": error.code, "error_description": error.detail}, challenge)
