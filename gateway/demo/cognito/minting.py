"""ID, access and refresh tokens in the shape Cognito gives them."""

from __future__ import annotations

from gateway.demo import clock, dice, jwts
from gateway.demo.cognito.state import PROVIDER, Cognito, Identity, RefreshToken, SignIn
from gateway.demo.emulator import Issued

MADE_UP = "made-up-group"


def mint(cognito: Cognito, sign_in: SignIn, *, nonce: str | None) -> dict[str, str | int]:
    """Return a token response for *sign_in* without a refresh token."""
    life = cognito.common.switches.number("token_seconds")
    id_key, access_key = cognito.current_keys()
    cognito.sign_ins[sign_in.event] = sign_in
    shared = _shared_claims(cognito, sign_in, life)
    access_token = jwts.sign(access_key, shared | _access_claims(sign_in))
    _record(cognito, "access", sign_in)
    answer: dict[str, str | int] = {"access_token": access_token, "token_type": "Bearer", "expires_in": life}
    if "openid" in sign_in.scopes:
        claims = shared | _id_claims(cognito, sign_in) | {"at_hash": jwts.half_hash(access_token)}
        answer["id_token"] = jwts.sign(id_key, claims | ({"nonce": nonce} if nonce else {}))
        _record(cognito, "id", sign_in)
    return answer


def new_refresh_token(cognito: Cognito, sign_in: SignIn, expires: int) -> str:
    """Return a refresh token: opaque, in five parts like the JWE it is at AWS."""
    size = cognito.common.switches.number("refresh_token_bytes")
    filler = dice.token(size)
    head = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ"
    token = f"{head}.{filler[:342]}.{filler[342:358]}.{filler[358:]}"[: size - 23] + f".{dice.token(16)}"
    cognito.refresh_tokens[token] = RefreshToken(sign_in, expires)
    _record(cognito, "refresh", sign_in)
    return token


def _record(cognito: Cognito, kind: str, sign_in: SignIn) -> None:
    cognito.common.issued.append(Issued(kind, sign_in.identity.email, sign_in.key))


def _shared_claims(cognito: Cognito, sign_in: SignIn, life: int) -> dict[str, object]:
    now = clock.now()
    claims: dict[str, object] = {
        "sub": sign_in.identity.sub,
        "iss": cognito.common.options.issuer,
        "event_id": sign_in.event,
        "auth_time": sign_in.auth_time,
        "iat": now,
        "exp": now + life,
    }
    groups = _groups(cognito, sign_in)
    if groups:
        claims["cognito:groups"] = groups
    if cognito.common.switches.flag("token_revocation"):
        claims |= {"origin_jti": sign_in.key, "jti": dice.identifier()}
    return claims


def _groups(cognito: Cognito, sign_in: SignIn) -> list[str]:
    switches = cognito.common.switches
    length = switches.number("extra_group_length")
    extra = [f"{n:04d}-{MADE_UP * 10}"[:length] for n in range(switches.number("extra_groups"))]
    federated = switches.flag("automatic_group") and sign_in.identity.provider_type
    automatic = [f"{cognito.common.options.pool}_{PROVIDER}"] if federated else []
    return [*automatic, *sign_in.identity.groups, *extra]


def _access_claims(sign_in: SignIn) -> dict[str, object]:
    return {
        "token_use": "access",
        "client_id": sign_in.client_id,
        "scope": " ".join(sign_in.scopes),
        "username": sign_in.identity.username,
        "version": 2,
    }


def _id_claims(cognito: Cognito, sign_in: SignIn) -> dict[str, object]:
    identity = sign_in.identity
    as_text = cognito.common.switches.word("email_verified_as") == "string"
    claims: dict[str, object] = {
        "token_use": "id",
        "aud": sign_in.client_id,
        "cognito:username": identity.username,
    }
    if identity.provider_type:
        claims["identities"] = [_federated(identity, sign_in.auth_time)]
    claims |= user_attributes(sign_in, email_verified="true" if as_text else True)
    if cognito.common.switches.flag("step_up"):
        claims |= {"acr": "urn:cognito:loa:1", "amr": ["fed" if identity.provider_type else "pwd"]}
    return claims


def _federated(identity: Identity, linked: int) -> dict[str, object]:
    return {
        "userId": identity.subject,
        "providerName": PROVIDER,
        "providerType": identity.provider_type,
        "issuer": None,
        "primary": "true",
        "dateCreated": str(linked * 1000),
    }


def user_attributes(sign_in: SignIn, *, email_verified: str | bool) -> dict[str, object]:
    """Return the attributes the scopes open, as ID token and userInfo carry them."""
    identity = sign_in.identity
    attributes: dict[str, object] = {}
    if "email" in sign_in.scopes:
        attributes |= {"email": identity.email, "email_verified": email_verified}
    if "profile" in sign_in.scopes:
        attributes |= {
            "name": identity.name,
            "given_name": identity.given_name,
            "family_name": identity.family_name,
            "preferred_username": identity.preferred_username,
        }
    return attributes
