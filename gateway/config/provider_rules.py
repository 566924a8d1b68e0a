"""The third pass: whether the provider can be what it is said to be, as far as that can be seen without asking it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.config.remarks import Remark, Rule, error, note, rule, warning
from gateway.oidc.providers.registry import PROVIDERS
from gateway.settings.addresses import is_local
from gateway.settings.model import Settings


@rule("provider.kind", "provider.issuer")
def _whose_issuer(settings: Settings) -> Iterator[Remark]:
    kind, issuer = PROVIDERS[settings.provider.kind], settings.provider.issuer
    name = urlsplit(issuer).hostname or ""
    host = f".{name}"
    theirs = next(
        (each for each in PROVIDERS.values() if host.endswith(tuple(map(_ending, each.hosts)))), kind
    )
    if theirs is not kind and not kind.label:
        what = f"is {theirs.label}'s, and the sign-out of `kind: {kind.name}` is that of nobody in particular"
        yield note(
            "provider.kind", what, f"write `kind: {theirs.name}`, which knows how {theirs.label} does it"
        )
    elif theirs is not kind:
        fix = f"write `kind: {theirs.name}`, or the issuer that {kind.label} has"
        yield error("provider.issuer", f"is {theirs.label}'s, but the provider's kind is {kind.name}", fix)
    elif kind.slash is not None and not is_local(name) and issuer.endswith("/") is not kind.slash:
        right = f"{issuer}/" if kind.slash else issuer.rstrip("/")
        how = "with" if kind.slash else "without"
        what = f"{kind.label} writes issuers {how} a slash at the end, and they are compared by the byte"
        yield error("provider.issuer", what, f"write {right}")


def _ending(host: str) -> str:
    return f".{host.removeprefix('.')}"


@rule("provider.kind", "provider.issuer", "provider.domain")
def _one_pool(settings: Settings) -> Iterator[Remark]:
    provider = settings.provider
    for key, what, fix in PROVIDERS[provider.kind].doubts(provider.issuer, provider.domain or ""):
        yield error(f"provider.{key}", what, fix)


@rule("provider.client_secret", "provider.other_client_secret", "provider.client_authentication")
def _no_secret(settings: Settings) -> Iterator[Remark]:
    """Nothing else tells: the sign-in page appears, and only what comes back from it is refused."""
    provider = settings.provider
    meant = provider.other_client_secret is not None or provider.client_authentication is not None
    if provider.client_secret is None and not meant:
        what = "there is none: at a client that has a secret every sign-in would end in an error (`invalid_client`)"
        fix = "set `client_secret_file`; leave it out only for a client that has no secret at the provider"
        yield warning("provider.client_secret", what, fix)


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
