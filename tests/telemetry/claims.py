"""Prints all that is sealed, signed and written down of sign-outs of every kind, and what a page makes of them."""

from __future__ import annotations

import json
from dataclasses import replace

from gateway.core.signout import chain as chains
from gateway.core.signout.chain import FAILED, RETURNED, SKIPPED, ChainLimits
from gateway.core.signout.evidence import Asked, Evidence
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.signout.signed_receipt import ReceiptKey, claims_of, verified
from gateway.telemetry.audit import AuditEvent, AuditTrail
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.receipts import ReceiptBook
from gateway.web.pages.receipt import HopLine, entry
from gateway.web.signout.session_events import SessionEvents

NOW = 1_800_000_000
LIMITS = ChainLimits(30, 120)
KEY = ReceiptKey.new()


def main() -> None:
    """The codes first, then the words."""
    written: list[AuditEvent] = []
    events = SessionEvents(
        AuditTrail(written.append), Metrics(), ReceiptBook("https://app.example.com", "https://idp", KEY)
    )
    sealed, words = [], []
    for status in (RETURNED, SKIPPED, FAILED):
        for evidence in Evidence:
            for asked in Asked:
                begun = chains.begin(["cognito", "okta"], LIMITS, now=NOW, nonce=f"{status}{evidence}{asked}")
                chain = replace(begun.chain, who=("mark", "subject", "alice"))
                events.logout_started(chain, "revoked:logout")
                for _ in range(2):
                    chain = chains.sent(chain, asked)
                    chain = chains.settled(chain, status, evidence, LIMITS, now=NOW + 1).chain
                    events.hop(chain.hops[0])
                events.logout_finished(chain)
                sealed.append(chains.FORMAT.plain(chain))
                words.append(entry(HopLine("okta", "Okta", status, 1, evidence, asked)).evidence)
    events.ended_by_others("sub:x|y", "backchannel", durable=True, source="https://idp", client="192.0.2.1")
    events.login_failed("bad_response", "what the provider said", "192.0.2.1")
    signed = [verified(event.receipt, KeySet((KEY.public,))) for event in written if event.receipt]
    claims = [claims_of(replace(receipt, run=None)) for receipt in signed]
    told = [repr(replace(event, receipt=None)) for event in written]
    print(json.dumps({"codes": [sealed, claims, told], "words": words}))


if __name__ == "__main__":
    main()
