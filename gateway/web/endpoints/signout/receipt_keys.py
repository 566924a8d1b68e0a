"""``/oauth2/receipt-keys``: the public key that the receipts of sign-outs are verified with, for anybody."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.http.facts import RequestFacts
from gateway.telemetry.receipts import ReceiptBook
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.respond import send


@dataclass(frozen=True, slots=True)
class ReceiptKeys:
    """Answers with the key set (RFC 7517) of the key that signs now."""

    receipts: ReceiptBook

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """The same for everybody."""
        return send(pages.document(self.receipts.key.jwks, "application/jwk-set+json"))
