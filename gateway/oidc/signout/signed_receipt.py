"""The signed receipt of a sign-out: what the gateway claims about it, for whoever wants to check that later.

A compact JWS (RFC 7515) whose claims say who signed out, what was ended and which hop of the chain was seen to return
(rule R28). Each sign-out has one when it *started*, so that one which never came to its end is on record too, and one
when it *finished*; they share the id of the sign-out. In a log they are numbered by the process that wrote them, so
that a missing one leaves a gap; the copy that the user gets has no number.

The algorithm is ES256 (RFC 7518 §3.4). Whoever verifies a receipt, years later perhaps, uses the tools they have:
every JOSE library, WebCrypto and HSM knows P-256, while for Ed25519 the name "EdDSA" is being given up (RFC 9864).
The nonce of a signature, on which ECDSA stands or falls, is drawn by OpenSSL from its generator and the key together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.core.errors import ProviderError
from gateway.core.signout.chain import HopState
from gateway.oidc.jose.jwks import KeySet, parse_key_set
from gateway.oidc.jose.signed_token import MAX_TEXT, Kind, read_signed, rejected, text_in, time_in
from gateway.oidc.jose.signing_key import CURVE, SigningKey, jwks_of, public_half
from gateway.oidc.wire import ProviderResponse

STARTED, FINISHED = "started", "finished"
MAKE_ONE = "make one with `gateway keys receipt -o FILE`"
_KIND = Kind("receipt", {"logout-receipt+jwt"}, typed=True, longest=16_384)


@dataclass(frozen=True, slots=True)
class Who:
    """Who signed out, as the identity provider calls them.

    :ivar user: what upstreams saw as the user; empty where that is too long for a token.
    """

    issuer: str
    subject: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class LogoutReceipt:
    """One statement about one sign-out. Times in seconds.

    :ivar issuer: ``public_url``. :ivar logout: the id of the sign-out. :ivar state: ``started`` or ``finished``.
    :ivar started: when it began. :ivar at: when this was so.
    :ivar durable: whether the log had the revocation then.
    :ivar hops: how each stood. :ivar session: the session, as logs name it; None where there was none.
    :ivar how: what started it, in the first of the two.
    :ivar run: the process that wrote it into its log, :ivar number: as its so-manyth; empty in the user's copy.
    """

    issuer: str
    logout: str
    state: str
    started: int
    at: int
    durable: bool
    hops: tuple[HopState, ...] = ()
    session: str | None = None
    who: Who | None = None
    how: str | None = None
    run: str | None = None
    number: int = 0

    @property
    def jti(self) -> str:
        """One of a kind: the sign-out and the state."""
        return f"{self.logout}.{self.state}"

    @property
    def unnumbered(self) -> LogoutReceipt:
        """What it claims, whoever wrote it down."""
        return replace(self, run=None, number=0)


class ReceiptKey(SigningKey):
    """The private key that signs receipts."""

    @property
    def jwks(self) -> dict[str, object]:
        """The public half as a key set (RFC 7517)."""
        return jwks_of([self])

    def sign(self, receipt: LogoutReceipt) -> str:
        """The receipt as a compact JWS."""
        return self.signed(claims_of(receipt), "logout-receipt+jwt")


def claims_of(receipt: LogoutReceipt) -> dict[str, object]:
    """As JSON; the subject by RFC 9493 §3.2.2, for it is the provider's and not this issuer's."""
    who = receipt.who
    claims: dict[str, object | None] = {
        "iss": receipt.issuer,
        "jti": receipt.jti,
        "iat": receipt.at,
        "logout": receipt.logout,
        "state": receipt.state,
        "sub_id": {"format": "iss_sub", "iss": who.issuer, "sub": who.subject} if who else None,
        "user": who.user or None if who else None,
        "session": receipt.session,
        "how": receipt.how,
        "durable": receipt.durable,
        "started": receipt.started,
        "hops": [_hop_claims(hop) for hop in receipt.hops],
        "run": receipt.run,
        "number": receipt.number or None,
    }
    return {name: value for name, value in claims.items() if value is not None}


def verified(token: str, keys: KeySet) -> LogoutReceipt:
    """The receipt, if one of ``keys`` has signed it.

    :raises ProviderError: ``token_rejected`` or ``unknown_key``.
    """
    claims = read_signed(token, keys=keys, kind=_KIND).claims
    receipt = LogoutReceipt(
        issuer=text_in(claims, "iss"),
        logout=text_in(claims, "logout"),
        state=text_in(claims, "state"),
        started=time_in(claims, "started"),
        at=time_in(claims, "iat"),
        durable=_flag(claims, "durable"),
        hops=_hops(claims.get("hops")),
        session=_text_or_none(claims, "session"),
        who=_who(claims),
        how=_text_or_none(claims, "how"),
        run=_text_or_none(claims, "run"),
        number=time_in(claims, "number") if "number" in claims else 0,
    )
    if receipt.state not in {STARTED, FINISHED} or claims.get("jti") != receipt.jti:
        raise rejected("jti", "not the sign-out and its state")
    return receipt


def keys_from_jwks(text: str) -> KeySet:
    """The keys for receipts in a key set.

    :raises ProviderError: there is none.
    """
    found = tuple(
        key for key in parse_key_set(ProviderResponse(200, body=text.encode())).keys if key.kind == CURVE
    )
    if not found:
        raise ProviderError("bad_response", "the key set has no key for the curve P-256")
    return KeySet(found)


def keys_from_pem(text: str) -> KeySet:
    """The public key in a PEM file, or that of the private key there.

    :raises ValueError: it is none for P-256; the message reads on after "the key".
    """
    if "PRIVATE KEY" in text:
        return KeySet((ReceiptKey.parse(text).public,))
    try:
        public = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public or private key in PEM") from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise ValueError("is not one for the curve P-256")
    return KeySet((public_half(public),))


def _hop_claims(hop: HopState) -> dict[str, object]:
    rest = {"at": hop.at or None, "evidence": hop.evidence or None, "asked": hop.asked or None}
    return {"hop": hop.name, "status": hop.status} | {k: v for k, v in rest.items() if v is not None}


def _hops(found: Any) -> tuple[HopState, ...]:
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise rejected("hops", "not a list of hops")
    return tuple(
        HopState(
            text_in(each, "hop"),
            text_in(each, "status"),
            time_in(each, "at") if "at" in each else 0,
            text_in(each, "evidence") if "evidence" in each else "",
            asked=text_in(each, "asked") if "asked" in each else "",
        )
        for each in found
    )


def _who(claims: Mapping[str, object]) -> Who | None:
    named = claims.get("sub_id")
    if named is None:
        return None
    if not isinstance(named, dict) or named.get("format") != "iss_sub":
        raise rejected("sub_id", "not an issuer and a subject")
    return Who(text_in(named, "iss"), text_in(named, "sub"), _text_or_none(claims, "user") or "")


def _text_or_none(claims: Mapping[str, object], name: str) -> str | None:
    return text_in(claims, name) if name in claims else None


def _flag(claims: Mapping[str, object], name: str) -> bool:
    found = claims.get(name)
    if not isinstance(found, bool):
        raise rejected(name, "neither true nor false")
    return found


def who_of(issuer: str, subject: str, user: str) -> Who:
    """For a receipt. A name that is too long for a token is left out, not cut, which could make it another's."""
    return Who(issuer, subject, user if len(user) <= MAX_TEXT else "")
