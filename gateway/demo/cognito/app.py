"""The Cognito emulator's parts put together: one application per host."""

from __future__ import annotations

from aiohttp import web

from gateway.demo.answers import ANY_ORIGIN
from gateway.demo.cognito.authorize import Authorize
from gateway.demo.cognito.errors import ErrorPage
from gateway.demo.cognito.idp_response import IdpResponse
from gateway.demo.cognito.issuer import Issuer
from gateway.demo.cognito.logout import Logout
from gateway.demo.cognito.revoke import RevokeEndpoint
from gateway.demo.cognito.saml_endpoints import SamlEndpoints
from gateway.demo.cognito.state import Cognito
from gateway.demo.cognito.token import TokenEndpoint
from gateway.demo.cognito.userinfo import UserInfo
from gateway.demo.control import Control
from gateway.demo.emulator import recorder

CROSS_ORIGIN = ("/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo")


def hosted_ui(cognito: Cognito, control: Control) -> web.Application:
    """Return the application that answers for the hosted UI's host."""
    app = web.Application(middlewares=[recorder(cognito.common)])
    app.add_routes(control.routes())
    parts = (
        Authorize,
        IdpResponse,
        SamlEndpoints,
        TokenEndpoint,
        RevokeEndpoint,
        UserInfo,
        Logout,
        ErrorPage,
    )
    for part in parts:
        app.add_routes(part(cognito).routes())
    app.add_routes([web.options(path, _preflight) for path in CROSS_ORIGIN])
    return app


def issuer(cognito: Cognito) -> web.Application:
    """Return the application that answers for the issuer's host."""
    app = web.Application(middlewares=[recorder(cognito.common)])
    app.add_routes(Issuer(cognito).routes())
    return app


async def _preflight(request: web.Request) -> web.Response:
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "authorization, content-type",
    }
    return web.Response(status=204, headers=ANY_ORIGIN | allowed)
