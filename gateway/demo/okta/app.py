"""The Okta emulator's parts put together."""

from __future__ import annotations

from aiohttp import web

from gateway.demo.control import Control
from gateway.demo.emulator import recorder
from gateway.demo.okta.admin import Admin
from gateway.demo.okta.limits import limiter
from gateway.demo.okta.login import Login
from gateway.demo.okta.oidc_authorize import Authorize
from gateway.demo.okta.oidc_info import Info
from gateway.demo.okta.oidc_logout import Logout
from gateway.demo.okta.oidc_token import Tokens
from gateway.demo.okta.outbound.sender import Sender
from gateway.demo.okta.outbound.streams import Streams
from gateway.demo.okta.saml_slo import SingleLogout
from gateway.demo.okta.saml_sso import SingleSignOn
from gateway.demo.okta.sessions_me import SessionsMe
from gateway.demo.okta.signout import SignOut
from gateway.demo.okta.state import Okta
from gateway.demo.okta.transmitter import Transmitter


def application(okta: Okta, control: Control, sender: Sender, streams: Streams) -> web.Application:
    """Return the application that answers for Okta's host."""
    app = web.Application(middlewares=[recorder(okta.common), limiter(okta.common.switches)])
    app.add_routes(control.routes())
    app.add_routes(sender.routes())
    app.add_routes(Admin(okta, sender).routes())
    app.add_routes(Transmitter(okta, streams).routes())
    for part in (Login, SignOut, SessionsMe, SingleSignOn, SingleLogout):
        app.add_routes(part(okta).routes())
    for server in okta.servers:
        app.add_routes(Authorize(okta, server).routes())
        app.add_routes(Tokens(okta, server).routes())
        app.add_routes(Info(okta, server).routes())
        app.add_routes(Logout(okta, server).routes())
    return app
