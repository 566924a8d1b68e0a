"""Makes logout tokens, honest and not. Every lie is named, with the refusal it must meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.core import dice
from tests.fakes.forge import ABSENT, CLIENT, Forge, rsa_key

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def logout_claims(forge: Forge, **changes: Any) -> dict[str, Any]:
    """Claims in the shape of Keycloak's logout token, with ``changes``; `ABSENT` takes one out."""
    honest = {
        "iss": forge.issuer,
        "aud": forge.client_id,
        "iat": forge.now,
        "exp": forge.now + 120,
        "jti": dice.token(12),
        "events": {EVENT: {}},
        "sub": forge.subject,
        "sid": "session-at-the-provider",
    }
    merged = {**honest, **changes}
    return {name: value for name, value in merged.items() if value is not ABSENT}


def logout_token(forge: Forge, *, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A logout token signed by the ID-token key."""
    return forge.signed(logout_claims(forge, **changes), header={"typ": "logout+jwt", **(header or {})})


@dataclass(frozen=True)
class Lie:
    """A logout token that must be refused: with ``code``, and a detail that begins with ``member``."""

    tell: Callable[[Forge], str]
    member: str = ""
    code: str = "token_rejected"


def _with(member: str, value: Any, *, blame: str = "") -> Lie:
    return Lie(lambda forge: logout_token(forge, **{member: value}), blame or member)


def _ago(member: str, seconds: int, **more: int) -> Lie:
    def tell(forge: Forge) -> str:
        times = {name: forge.now + value for name, value in {member: seconds, **more}.items()}
        return logout_token(forge, header=None, **times)

    return Lie(tell, member)


def _typed(value: Any) -> Lie:
    return Lie(lambda forge: logout_token(forge, header={"typ": value}), "typ")


def _twice(claim: str) -> Lie:
    def tell(forge: Forge) -> str:
        payload = json.dumps(logout_claims(forge)).encode()[:-1] + b", " + claim.encode() + b"}"
        return forge.signed(payload, header={"typ": "logout+jwt"})

    return Lie(tell)


LIES: Mapping[str, Lie] = {
    "issued by another": _with("iss", "https://evil.example"),
    "issuer with a slash more": Lie(lambda forge: logout_token(forge, iss=forge.issuer + "/"), "iss"),
    "issuer missing": _with("iss", ABSENT),
    "issuer in a list": Lie(lambda forge: logout_token(forge, iss=[forge.issuer]), "iss"),
    "for another client": _with("aud", "another-client"),
    "audience missing": _with("aud", ABSENT),
    "audience an empty list": _with("aud", []),
    "audience a prefix": _with("aud", CLIENT[:-1]),
    "audience with a number": Lie(lambda forge: logout_token(forge, aud=[forge.client_id, 7]), "aud"),
    "iat missing": _with("iat", ABSENT),
    "iat a string": _with("iat", "now"),
    "iat ahead": _ago("iat", 61),
    "iat too long ago": _ago("iat", -361),
    "iat too long ago under an exp far ahead": _ago("iat", -361, exp=10**6),
    "exp missing, and issued too long ago": Lie(
        lambda forge: logout_token(forge, exp=ABSENT, iat=forge.now - 361), "iat"
    ),
    "exp and iat missing": Lie(lambda forge: logout_token(forge, exp=ABSENT, iat=ABSENT), "iat"),
    "exp a string": _with("exp", "never"),
    "exp empty": _with("exp", ""),
    "exp negative": _with("exp", -1),
    "exp a bool": _with("exp", True),
    "expired": _ago("exp", -60),
    "nbf ahead": _ago("nbf", 61),
    "jti missing": _with("jti", ABSENT),
    "jti empty": _with("jti", ""),
    "jti a number": _with("jti", 7),
    "jti too long": _with("jti", "a" * 256),
    "events missing": _with("events", ABSENT),
    "events null": _with("events", None),
    "events a list": _with("events", [EVENT]),
    "events a string": _with("events", EVENT),
    "events empty": _with("events", {}),
    "events of something else": _with("events", {"https://schemas.openid.net/secevent/risc/x": {}}),
    "event under https": _with("events", {EVENT.replace("http:", "https:"): {}}),
    "event null": _with("events", {EVENT: None}),
    "event true": _with("events", {EVENT: True}),
    "event a list": _with("events", {EVENT: []}),
    "neither sub nor sid": Lie(lambda forge: logout_token(forge, sub=ABSENT, sid=ABSENT), "sub"),
    "sub null": Lie(lambda forge: logout_token(forge, sub=None, sid=ABSENT), "sub"),
    "sub null beside a sid": _with("sub", None),
    "sub a number": _with("sub", 7),
    "sid null": _with("sid", None),
    "sid empty": _with("sid", ""),
    "sid a list": _with("sid", ["a"]),
    "sid with a line break": _with("sid", "a\r\nb"),
    "sid too long": _with("sid", "a" * 256),
    "a nonce": _with("nonce", "n"),
    "a nonce that is null": _with("nonce", None),
    "typed as an access token": _typed("at+jwt"),
    "typed as a security event": _typed("secevent+jwt"),
    "typed as nothing": _typed(""),
    "typ null": _typed(None),
    "typ a list": _typed(["logout+jwt"]),
    "an ID token of the same user": Lie(lambda forge: forge.honest(), "iat,events"),
    "an ID token without its nonce": Lie(lambda forge: forge.honest(nonce=ABSENT), "events"),
    "an access token": Lie(
        lambda forge: forge.signed(forge.claims(nonce=ABSENT), header={"typ": "at+jwt"}), "typ"
    ),
    "alg none": Lie(lambda forge: forge.unsigned(), "form"),
    "alg none with a signature": Lie(lambda forge: forge.unsigned() + "AAAA", "alg"),
    "HS256 with the public key": Lie(lambda forge: forge.with_secret(forge.id_key.pem()), "alg"),
    "HS256 with the client id": Lie(lambda forge: forge.with_secret(CLIENT.encode()), "alg"),
    "unknown kid": Lie(lambda forge: logout_token(forge, header={"kid": "nobody"}), code="unknown_key"),
    "stranger's key under our kid": Lie(
        lambda forge: logout_token(replace(forge, id_key=rsa_key("stranger")), header={"kid": "id"}),
        "signature",
    ),
    "key brought along": Lie(
        lambda forge: logout_token(
            replace(forge, id_key=rsa_key("stranger")),
            header={"kid": "id", "jwk": rsa_key("stranger").jwk(), "jku": "https://evil.example/jwks"},
        ),
        "signature",
    ),
    "unknown crit": Lie(lambda forge: logout_token(forge, header={"crit": ["exp"], "exp": 1}), "crit"),
    "encrypted, five segments": Lie(lambda forge: logout_token(forge) + ".AAAA.AAAA", "form"),
    "padded": Lie(lambda forge: logout_token(forge) + "==", "form"),
    "empty": Lie(lambda _: "", "form"),
    "a line break behind it": Lie(lambda forge: logout_token(forge) + "\n", "form"),
    "longer than any": Lie(lambda forge: logout_token(forge, x="a" * 16_384), "form"),
    "payload a list": Lie(lambda forge: forge.signed(b"[]", header={"typ": "logout+jwt"})),
    "payload not UTF-8": Lie(lambda forge: forge.signed(b'{"sub": "\xff"}', header={"typ": "logout+jwt"})),
    "sub twice": _twice('"sub": "mallory"'),
    "events twice": _twice('"events": {}'),
    "event twice": _twice(f'"x": {{"{EVENT}": {{}}, "{EVENT}": {{}}}}'),
    "NaN": _twice('"x": NaN'),
    "nested without end": Lie(lambda forge: forge.signed(b'{"x":' * 2_000, header={"typ": "logout+jwt"})),
}
