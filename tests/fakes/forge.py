"""Makes ID tokens, honest and not. Every lie is named, with the refusal it must meet."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_TEST"
CLIENT = "test-client"
NOW = 1_800_000_000


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id and the algorithm it is used with."""

    kid: str | None
    private: Any
    algorithm: str = "RS256"

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public half as the provider publishes it."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        found = {**public, "use": "sig", "alg": self.algorithm, **changes}
        if self.kid is not None:
            found.setdefault("kid", self.kid)
        return {name: value for name, value in found.items() if value is not None}

    def pem(self) -> bytes:
        """The public half as PEM: the shared secret of the algorithm-confusion attack."""
        public = self.private.public_key()
        return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@cache
def rsa_key(kid: str, *, bits: int = 2048, algorithm: str = "RS256") -> SigningKey:
    """An RSA key, made once a run for each id."""
    return SigningKey(kid, rsa.generate_private_key(public_exponent=65537, key_size=bits), algorithm)


@cache
def ec_key(kid: str, algorithm: str = "ES256") -> SigningKey:
    """An elliptic-curve key for ``algorithm``."""
    curves: dict[str, ec.EllipticCurve] = {
        "ES256": ec.SECP256R1(),
        "ES384": ec.SECP384R1(),
        "ES512": ec.SECP521R1(),
        "ES256K": ec.SECP256K1(),
    }
    return SigningKey(kid, ec.generate_private_key(curves[algorithm]), algorithm)


@cache
def ed_key(kid: str) -> SigningKey:
    """An Ed25519 key."""
    return SigningKey(kid, ed25519.Ed25519PrivateKey.generate(), "EdDSA")


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def left_half_of_sha256(text: str) -> str:
    """``at_hash`` for the 256-bit algorithms, written down a second time on purpose."""
    return b64(hashlib.sha256(text.encode()).digest()[:16])


ABSENT: Any = object()


@dataclass(frozen=True)
class Forge:
    """One sign-in's honest claims, and ways to sign something else."""

    issuer: str = ISSUER
    client_id: str = CLIENT
    now: int = NOW
    nonce: str | None = "the-nonce"
    subject: str = "alice-sub"
    access_token: str = "the-access-token"
    more: Mapping[str, Any] = field(default_factory=dict)
    id_key: SigningKey = field(default_factory=lambda: rsa_key("id"))
    access_key: SigningKey = field(default_factory=lambda: rsa_key("access"))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims in the shape of Cognito's ID token, with ``changes``; `ABSENT` takes one out."""
        honest = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": self.subject,
            "token_use": "id",
            "nonce": self.nonce,
            "at_hash": left_half_of_sha256(self.access_token),
            "auth_time": self.now - 5,
            "iat": self.now,
            "exp": self.now + 3600,
            "jti": "7c1d9e1e",
            "origin_jti": f"origin-of-{self.subject}",
            **self.more,
        }
        merged = {**honest, **changes}
        return {name: value for name, value in merged.items() if value is not ABSENT}

    def honest(self, **changes: Any) -> str:
        """A token signed by the ID-token key."""
        return self.signed(self.claims(**changes))

    def signed(
        self,
        claims: Mapping[str, Any] | bytes,
        *,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """Any claims (or raw payload) under any header, with a true signature of ``key``."""
        key = key or self.id_key
        parts = {"alg": key.algorithm, "kid": key.kid, **(header or {})}
        head = json.dumps({name: value for name, value in parts.items() if value is not ABSENT})
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signing_input = f"{b64(head.encode())}.{b64(payload)}"
        algorithm = jwt.get_algorithm_by_name(key.algorithm)
        return f"{signing_input}.{b64(algorithm.sign(signing_input.encode(), key.private))}"

    def with_secret(self, secret: bytes) -> str:
        """HS256 with ``secret``: algorithm confusion when it is the public key."""
        head = b64(json.dumps({"alg": "HS256", "kid": self.id_key.kid}).encode())
        signing_input = f"{head}.{b64(json.dumps(self.claims()).encode())}"
        return f"{signing_input}.{b64(hmac.digest(secret, signing_input.encode(), 'sha256'))}"

    def unsigned(self, algorithm: str = "none") -> str:
        """No signature at all."""
        head = b64(json.dumps({"alg": algorithm, "kid": self.id_key.kid}).encode())
        return f"{head}.{b64(json.dumps(self.claims()).encode())}."

    def access(self) -> str:
        """An access token in Cognito's shape, signed by the access-token key."""
        claims = self.claims(aud=ABSENT, nonce=ABSENT, at_hash=ABSENT, client_id=self.client_id)
        return self.signed({**claims, "token_use": "access"}, key=self.access_key)


@dataclass(frozen=True)
class Lie:
    """A token that must be refused.

    :ivar code: the error's code.
    :ivar member: what the error's detail begins with, where it names a member.
    """

    tell: Callable[[Forge], str]
    code: str = "token_rejected"
    member: str = ""


def _padded(forge: Forge, segment: int) -> str:
    """A token whose ``segment`` ends in base64 padding, otherwise well signed where that is possible."""
    for filler in ("", "x", "xx"):
        head = b64(json.dumps({"alg": "RS256", "kid": forge.id_key.kid, "f": filler}).encode())
        payload = b64(json.dumps(forge.claims(filler=filler)).encode())
        segments = [head, payload]
        if segment < 2:
            segments[segment] += "=" * (-len(segments[segment]) % 4)
        signing_input = ".".join(segments)
        algorithm = jwt.get_algorithm_by_name("RS256")
        signature = b64(algorithm.sign(signing_input.encode(), forge.id_key.private))
        if segment == 2:
            signature += "=" * (-len(signature) % 4)
        token = f"{signing_input}.{signature}"
        if "=" in token:
            return token
    raise AssertionError("no padding needed")


def _changed(member: str, value: Any, *, blame: str = "") -> Lie:
    return Lie(lambda forge: forge.honest(**{member: value}), member=blame or member)


def _late(member: str, seconds: int) -> Lie:
    return Lie(lambda forge: forge.honest(**{member: forge.now + seconds}), member=member)


def _bitten(forge: Forge) -> str:
    head, payload, signature = forge.honest().split(".")
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


LIES: Mapping[str, Lie] = {
    "wrong issuer": _changed("iss", "https://evil.example"),
    "issuer with a slash more": Lie(lambda forge: forge.honest(iss=forge.issuer + "/"), member="iss"),
    "issuer missing": _changed("iss", ABSENT),
    "issuer in a list": Lie(lambda forge: forge.honest(iss=[forge.issuer]), member="iss"),
    "wrong audience": _changed("aud", "another-client"),
    "audience missing": _changed("aud", ABSENT),
    "audience a number": _changed("aud", 7),
    "audience an empty list": _changed("aud", []),
    "audience a prefix": _changed("aud", CLIENT[:-1]),
    "several audiences without azp": _changed("aud", [CLIENT, "other"], blame="azp"),
    "azp of another client": _changed("azp", "another-client"),
    "wrong nonce": _changed("nonce", "another-nonce"),
    "nonce missing": _changed("nonce", ABSENT),
    "nonce null": _changed("nonce", None),
    "nonce empty": _changed("nonce", ""),
    "nonce in a list": _changed("nonce", ["the-nonce"]),
    "bad at_hash": _changed("at_hash", left_half_of_sha256("another-access-token")),
    "at_hash null": _changed("at_hash", None),
    "subject missing": _changed("sub", ABSENT),
    "subject empty": _changed("sub", ""),
    "subject a number": _changed("sub", 4711),
    "subject too long": _changed("sub", "a" * 256),
    "subject with a line break": _changed("sub", "alice\r\nX-Admin: 1"),
    "expired": _late("exp", -61),
    "expired to the second": _late("exp", -60),
    "exp missing": _changed("exp", ABSENT),
    "exp a string": _changed("exp", str(NOW + 3600)),
    "exp a bool": _changed("exp", True),
    "exp infinite": Lie(
        lambda forge: forge.signed(json.dumps(forge.claims(exp=ABSENT)).encode()[:-1] + b', "exp": 1e999}'),
        member="exp",
    ),
    "exp beyond all calendars": _changed("exp", 1 << 60),
    "exp negative": _changed("exp", -1),
    "not yet valid": _late("nbf", 61),
    "nbf a string": _changed("nbf", "now"),
    "iat in the future": _late("iat", 61),
    "iat missing": _changed("iat", ABSENT),
    "auth_time in the future": _late("auth_time", 61),
    "auth_time a string": _changed("auth_time", "yesterday"),
    "access token as ID token": Lie(lambda forge: forge.access(), member="aud"),
    "token_use access": _changed("token_use", "access"),
    "token_use missing": _changed("token_use", ABSENT),
    "typ of an access token": Lie(
        lambda forge: forge.signed(forge.claims(), header={"typ": "at+jwt"}), member="typ"
    ),
    "typ of a logout token": Lie(
        lambda forge: forge.signed(forge.claims(), header={"typ": "logout+jwt"}), member="typ"
    ),
    "typ in a list": Lie(lambda forge: forge.signed(forge.claims(), header={"typ": []}), member="typ"),
    "typ null": Lie(lambda forge: forge.signed(forge.claims(), header={"typ": None}), member="typ"),
    "alg none": Lie(lambda forge: forge.unsigned(), member="form"),
    "alg none with a signature": Lie(lambda forge: forge.unsigned() + "AAAA", member="alg"),
    "alg None": Lie(lambda forge: forge.unsigned("None") + "AAAA", member="alg"),
    "alg missing": Lie(lambda forge: forge.signed(forge.claims(), header={"alg": ABSENT}), member="alg"),
    "alg in a list": Lie(lambda forge: forge.signed(forge.claims(), header={"alg": ["RS256"]}), member="alg"),
    "HS256 with the public key": Lie(lambda forge: forge.with_secret(forge.id_key.pem()), member="alg"),
    "HS256 with the client id": Lie(lambda forge: forge.with_secret(CLIENT.encode()), member="alg"),
    "RS512 named, RS256 made": Lie(
        lambda forge: forge.signed(forge.claims(), header={"alg": "RS512"}), code="unknown_key"
    ),
    "ES256 named, RSA key": Lie(
        lambda forge: forge.signed(forge.claims(), header={"alg": "ES256"}), code="unknown_key"
    ),
    "unknown kid": Lie(
        lambda forge: forge.signed(forge.claims(), header={"kid": "nobody"}), code="unknown_key"
    ),
    "kid missing among two keys": Lie(
        lambda forge: forge.signed(forge.claims(), header={"kid": ABSENT}), code="unknown_key"
    ),
    "kid a number": Lie(lambda forge: forge.signed(forge.claims(), header={"kid": 7}), member="kid"),
    "stranger's key under our kid": Lie(
        lambda forge: forge.signed(forge.claims(), key=rsa_key("stranger"), header={"kid": "id"}),
        member="signature",
    ),
    "key brought along in the header": Lie(
        lambda forge: forge.signed(
            forge.claims(),
            key=rsa_key("stranger"),
            header={"kid": "id", "jwk": rsa_key("stranger").jwk(), "jku": "https://evil.example/jwks"},
        ),
        member="signature",
    ),
    "signed by the access-token key": Lie(
        lambda forge: forge.signed(forge.claims(), key=forge.access_key, header={"kid": "id"}),
        member="signature",
    ),
    "one letter of the signature changed": Lie(_bitten, member="signature"),
    "unknown crit": Lie(
        lambda forge: forge.signed(forge.claims(), header={"crit": ["exp"], "exp": 1}), member="crit"
    ),
    "crit empty": Lie(lambda forge: forge.signed(forge.claims(), header={"crit": []}), member="crit"),
    "unencoded payload": Lie(
        lambda forge: forge.signed(forge.claims(), header={"crit": ["b64"], "b64": False}), member="crit"
    ),
    "header padded": Lie(lambda forge: _padded(forge, 0), member="form"),
    "payload padded": Lie(lambda forge: _padded(forge, 1), member="form"),
    "signature padded": Lie(lambda forge: _padded(forge, 2), member="form"),
    "two segments": Lie(lambda forge: forge.honest().rpartition(".")[0], member="form"),
    "four segments": Lie(lambda forge: forge.honest() + ".AAAA", member="form"),
    "empty": Lie(lambda _: "", member="form"),
    "a line break in the signature": Lie(lambda forge: forge.honest() + "\n", member="form"),
    "payload a list": Lie(lambda forge: forge.signed(b"[]")),
    "payload not JSON": Lie(lambda forge: forge.signed(b"hello")),
    "payload not UTF-8": Lie(lambda forge: forge.signed(b'{"sub": "\xff"}')),
    "payload with a claim twice": Lie(
        lambda forge: forge.signed(json.dumps(forge.claims()).encode()[:-1] + b', "sub": "mallory"}')
    ),
    "payload with NaN": Lie(
        lambda forge: forge.signed(json.dumps(forge.claims()).encode()[:-1] + b', "x": NaN}')
    ),
    "payload nested without end": Lie(lambda forge: forge.signed(b'{"x":' * 20_000)),
    "far too long": Lie(lambda forge: forge.honest(x="a" * 70_000), member="form"),
}
