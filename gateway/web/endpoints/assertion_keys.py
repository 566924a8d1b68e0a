"""``/oauth2/assertion-keys``: the public keys that assertions to upstreams are verified with, for anybody."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.http.facts import RequestFacts
from gateway.oidc.jose.signing_key import jwks_of
from gateway.web.forward.assertions import Assertions
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.respond import send


@dataclass(frozen=True, slots=True)
class AssertionKeys:
    """Answers with the key set (RFC 7517) of all that may have signed one."""

    assertions: Assertions

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The same for everybody."""
        return send(pages.document(jwks_of(self.assertions.keys), "application/jwk-set+json"))
