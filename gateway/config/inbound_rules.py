"""The third pass: who may end sessions from outside."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.remarks import Remark, Rule, error, note, rule, warning
from gateway.oidc.providers.registry import PROVIDERS
from gateway.settings.model import Settings
from gateway.settings.secret_files import revealed

LEAST_SECRET = 20
"""Characters of the event hook's secret, which is all that stands between it and the internet."""
DEMO_SECRET = "demo-event-hook-secret"  # noqa: S105 - published, and refused but on localhost (rule R29)
_DRAW = "draw one with `openssl rand -base64 32`"


@rule("inbound.backchannel", "provider.kind")
def _nobody_sends_backchannel(settings: Settings) -> Iterator[Remark]:
    kind = PROVIDERS[settings.provider.kind]
    if settings.inbound.backchannel and kind.back_channel is None:
        what = f"{kind.label} sends no back-channel logout, so nothing will ever come"
        yield warning("inbound.backchannel", what, f"leave it out; {kind.instead}")


@rule("inbound.frontchannel", "provider.kind")
def _frontchannel_is_a_frame(settings: Settings) -> Iterator[Remark]:
    kind = PROVIDERS[settings.provider.kind]
    if not settings.inbound.frontchannel:
        return
    if kind.front_channel is None:
        what = f"{kind.label} knows no front-channel logout, so nothing will ever come"
        yield warning("inbound.frontchannel", what, f"leave it out; {kind.instead}")
        return
    what = "it takes the user's browser, and `iss` and `sid`, because our cookies rarely reach such a frame"
    fix = "register it as one that needs the session (frontchannel_logout_session_required)"
    yield note("inbound.frontchannel", what, fix)


@rule("inbound.universal_logout")
def _one_source_of_keys(settings: Settings) -> Iterator[Remark]:
    asked = settings.inbound.universal_logout
    if asked is not None and (asked.jwks_uri is None) == (asked.certificate_file is None):
        what = "needs `jwks_uri` or `certificate_file`, and not both"
        fix = (
            "write jwks_uri for an OpenID Connect application, certificate_file for one that signs in by SAML"
        )
        yield error("inbound.universal_logout", what, fix)


@rule("public_url", "inbound.universal_logout", "inbound.security_events", "inbound.okta_event_hook")
def _others_over_https(settings: Settings) -> Iterator[Remark]:
    if settings.public_url.is_local:
        return
    for name, section in _from_elsewhere(settings).items():
        for key in ("issuer", "jwks_uri", "poll_endpoint"):
            if (getattr(section, key, None) or "").startswith("http:"):
                what = "is not https, so anybody on the way could sign people out, or keep them from it"
                yield error(f"inbound.{name}.{key}", what, "write its https address")


@rule("inbound.security_events")
def _events(settings: Settings) -> Iterator[Remark]:
    asked = settings.inbound.security_events
    if asked is None:
        return
    if asked.poll_endpoint is not None and asked.token is None:
        what = "needs a token, by which the transmitter knows who fetches"
        yield error("inbound.security_events.poll_endpoint", what, "set `token_file` beside it")
    if not asked.events:
        what = "is empty, so that whatever the transmitter says ends nothing"
        yield warning("inbound.security_events.events", what, "list `session-revoked` at least")


@rule("public_url", "inbound.okta_event_hook")
def _hook_secret(settings: Settings) -> Iterator[Remark]:
    asked = settings.inbound.okta_event_hook
    if asked is None:
        return
    secret = revealed(asked.secret)
    if secret is None:
        what = "has no secret, so that anybody could sign anybody out"
        yield error("inbound.okta_event_hook", what, f"set `secret_file`; {_DRAW}")
    elif len(secret) < LEAST_SECRET:
        what = f"is shorter than {LEAST_SECRET} characters; whoever guesses it can sign anybody out"
        yield error("inbound.okta_event_hook.secret", what, _DRAW)
    elif secret == DEMO_SECRET and not settings.public_url.is_local:
        what = "is the demo's, which is published, so anybody can sign anybody out"
        yield error("inbound.okta_event_hook.secret", what, _DRAW)


@rule("inbound.okta_event_hook")
def _hears_of_sign_outs(settings: Settings) -> Iterator[Remark]:
    asked = settings.inbound.okta_event_hook
    if asked is not None and asked.session_end == "user":
        what = (
            "whoever signs out at Okta is signed out here in all browsers; a sign-out that began here is told apart for"
            " two minutes, by the names that were seen at sign-in"
        )
        yield note(
            "inbound.okta_event_hook.session_end", what, "write `ignore` if only administrators should"
        )


@rule("provider", "inbound.universal_logout", "inbound.security_events", "inbound.okta_event_hook")
def _whose_users_they_are(settings: Settings) -> Iterator[Remark]:
    """Rule R19: without a link an issuer's ids are nobody's names, and calls about them end nothing."""
    provider = settings.provider
    known = {provider.issuer, *provider.linked_subjects, *provider.linked_providers}
    for name, section in _from_elsewhere(settings).items():
        issuer = getattr(section, "issuer", None)
        if issuer in known:
            continue
        what = "user ids from there are not linked to the ids here, so only e-mail addresses find sessions"
        fix = (
            "name the provider behind Cognito that it is in provider.linked_providers, or the claim with its user id in"
            " provider.linked_subjects"
        )
        yield warning(f"inbound.{name}", what, fix)
        if PROVIDERS[provider.kind].broker and not provider.trusted_email_from:
            what = "Cognito rarely calls addresses of federated users verified, and others are nobody's name here"
            fix = "name the provider in provider.trusted_email_from, if nobody can choose an address there"
            yield warning(f"inbound.{name}", what, fix)


def _from_elsewhere(settings: Settings) -> dict[str, object]:
    """The ways in that have an issuer of their own."""
    asked = settings.inbound
    found = {
        "universal_logout": asked.universal_logout,
        "security_events": asked.security_events,
        "okta_event_hook": asked.okta_event_hook,
    }
    return {name: section for name, section in found.items() if section is not None}


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
