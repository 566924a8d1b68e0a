"""The third pass: who may end sessions from outside."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.model import Settings
from gateway.config.remarks import Remark, note, rule, warning

_NAMES = {"cognito": "Cognito", "okta": "Okta", "entra": "Entra ID", "auth0": "Auth0", "google": "Google"}
_NO_BACKCHANNEL = ("cognito", "okta", "entra", "google")
_NO_FRONTCHANNEL = ("cognito", "auth0", "google")
_INSTEAD = {
    "cognito": "leave it out; Okta behind Cognito has universal_logout, security_events and okta_event_hook",
    "okta": "leave it out; Okta has universal_logout, security_events and okta_event_hook",
    "entra": "leave it out; Entra ID has front-channel logout",
    "auth0": "leave it out; Auth0 has back-channel logout",
    "google": "leave it out; session.absolute bounds how long a session outlives the one at Google",
}


@rule("inbound.backchannel", "provider.kind")
def _nobody_sends_backchannel(settings: Settings) -> Iterator[Remark]:
    kind = settings.provider.kind
    if settings.inbound.backchannel and kind in _NO_BACKCHANNEL:
        what = f"{_NAMES[kind]} sends no back-channel logout, so nothing will ever come"
        yield warning("inbound.backchannel", what, _INSTEAD[kind])


@rule("inbound.frontchannel", "provider.kind")
def _frontchannel_is_a_frame(settings: Settings) -> Iterator[Remark]:
    kind = settings.provider.kind
    if not settings.inbound.frontchannel:
        return
    if kind in _NO_FRONTCHANNEL:
        what = f"{_NAMES[kind]} knows no front-channel logout, so nothing will ever come"
        yield warning("inbound.frontchannel", what, _INSTEAD[kind])
        return
    what = "it takes the user's browser, and `iss` and `sid`, because our cookies rarely reach such a frame"
    mend = "register it as one that needs the session (frontchannel_logout_session_required)"
    yield note("inbound.frontchannel", what, mend)


RULES = (_nobody_sends_backchannel, _frontchannel_is_a_frame)
