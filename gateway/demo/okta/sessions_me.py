"""`/api/v1/sessions/me`: the session as script on another site sees it. Deprecated by Okta; not to build on."""

from __future__ import annotations

from aiohttp import web

from gateway.demo import clock
from gateway.demo.answers import headers_with, json_answer
from gateway.demo.okta.cookies import expired_cookies
from gateway.demo.okta.state import Okta, Session
from gateway.demo.okta.targets import origin_of

PATH = "/api/v1/sessions/me"


class SessionsMe:
    """Readable from trusted origins (scope CORS), with the browser's cookie and nothing else."""

    def __init__(self, okta: Okta) -> None:
        self._okta = okta

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [
            web.get(PATH, self._get, allow_head=False),
            web.delete(PATH, self._delete),
            web.options(PATH, self._preflight),
        ]

    async def _get(self, request: web.Request) -> web.Response:
        session = self._okta.session_of(request)
        headers = self._cors(request)
        if session is None:
            return _not_found(headers)
        return json_answer(self._shown(session), headers=headers)

    async def _delete(self, request: web.Request) -> web.Response:
        session = self._okta.session_of(request)
        headers = self._cors(request)
        if session is None:
            return _not_found(headers)
        self._okta.end(session, f"DELETE {PATH}")
        return web.Response(status=204, headers=headers_with(expired_cookies(self._okta), headers))

    async def _preflight(self, request: web.Request) -> web.Response:
        headers = self._cors(request)
        if headers:
            headers |= {
                "Access-Control-Allow-Methods": "GET, DELETE",
                "Access-Control-Allow-Headers": "content-type, x-okta-user-agent-extended",
            }
        return web.Response(status=204 if headers else 403, headers=headers)

    def _cors(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin", "")
        if not origin or origin_of(origin) not in {origin_of(o) for o in self._okta.common.options.origins}:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }

    def _shown(self, session: Session) -> dict[str, object]:
        life = 60 * self._okta.common.switches.number("okta_session_minutes")
        return {
            "id": session.index,
            "userId": session.person.user_id,
            "login": session.person.email,
            "createdAt": clock.instant(session.created),
            "expiresAt": clock.instant(session.created + life),
            "status": "ACTIVE",
            "amr": ["pwd"],
        }


def _not_found(headers: dict[str, str]) -> web.Response:
    payload = {"errorCode": "E0000007", "errorSummary": "Not found: Resource not found: me (Session)"}
    return json_answer(payload, status=404, headers=headers)
