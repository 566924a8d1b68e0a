"""A running pair of emulators, one browser, and the requests a gateway would make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import encode_basic_auth

from gateway.demo import jwts
from gateway.demo.idp import RunningIdp
from gateway.demo.options import DemoOptions
from tests.demo.browser import Browser, Page

VERIFIER = "a-code-verifier-of-at-least-forty-three-characters"


@dataclass
class Lab:
    """A running pair of emulators, one browser, and the requests a gateway would make."""

    idp: RunningIdp
    browser: Browser
    events: list[str] = field(default_factory=list)

    @property
    def options(self) -> DemoOptions:
        return self.idp.options

    @property
    def callback(self) -> str:
        return f"{self.options.app}/oauth2/callback"

    def set(self, **changes: str | int | bool) -> None:
        self.idp.control.cognito.set(**changes)

    def authorize_url(self, **changes: str | None) -> str:
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "demo-client",
            "redirect_uri": self.callback,
            "scope": "openid email profile",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": jwts.s256(VERIFIER),
            "code_challenge_method": "S256",
            "identity_provider": "Okta",
        }
        given = {name: value for name, value in (parameters | changes).items() if value is not None}
        return f"{self.options.cognito}/oauth2/authorize?{urlencode(given)}"

    async def to_okta_form(self, **changes: str | None) -> Page:
        """Go from the application to Okta's form."""
        page = await self.browser.get(self.authorize_url(**changes), source=self.options.app)
        page = await self.browser.follow(page, until=self.options.app)
        assert 'name="password"' in page.text, page
        return page

    async def sign_in(self, user: str = "alice@example.com", **changes: str | None) -> Page:
        """Sign in at Okta; returns the redirect back to the application."""
        form = await self.to_okta_form(**changes)
        page = await self.browser.post(
            form.form()[0], {"username": user, "password": "demo"}, source=form.url
        )
        return await self.browser.follow(page, until=self.options.app)

    async def silent(self, **changes: str | None) -> Page:
        """Ask for a code once more; returns where that ends."""
        page = await self.browser.get(self.authorize_url(**changes), source=self.options.app)
        return await self.browser.follow(page, until=self.options.app)

    async def token(self, **form: str) -> tuple[int, dict[str, str]]:
        """Post *form* to Cognito's token endpoint as the demo client."""
        return await self.post_json(f"{self.options.cognito}/oauth2/token", form)

    async def post_json(
        self, url: str, form: dict[str, str], secret: str = "demo-secret"
    ) -> tuple[int, dict[str, str]]:
        headers = {"Authorization": encode_basic_auth("demo-client", secret)}
        async with self.browser.session.post(url, data=form, headers=headers) as response:
            text = await response.text()
            return response.status, (await response.json() if text else {})

    async def tokens(self, page: Page) -> dict[str, Any]:
        """Redeem the code that *page* brought to the application."""
        status, answer = await self.token(
            grant_type="authorization_code",
            code=page.query()["code"],
            redirect_uri=self.callback,
            code_verifier=VERIFIER,
        )
        assert status == 200, answer
        return answer

    async def code(self) -> str:
        """Return another code from the living Cognito session."""
        return (await self.silent()).query()["code"]

    def claims(self, tokens: dict[str, str], which: str) -> dict[str, Any]:
        """Return the claims of a token, signature not looked at."""
        claims: dict[str, Any] = jwt.decode(tokens[which], options={"verify_signature": False})
        return claims

    def header(self, tokens: dict[str, str], which: str) -> dict[str, Any]:
        """Return the header of a token."""
        return jwt.get_unverified_header(tokens[which])

    def okta_authorize_url(self, base: str, **changes: str) -> str:
        """Return an authorization request to Okta itself, as a gateway without Cognito makes it."""
        given = {
            "response_type": "code",
            "client_id": "demo-client",
            "redirect_uri": self.callback,
            "scope": "openid email profile groups offline_access",
            "state": "s",
            "nonce": "n",
        }
        return f"{self.options.okta}{base}/authorize?{urlencode(given | changes)}"

    async def okta_tokens(self, base: str, user: str = "alice@example.com") -> dict[str, str]:
        """Sign in at Okta directly and return its tokens."""
        page = await self.browser.get(self.okta_authorize_url(base), source=self.options.app)
        page = await self.browser.follow(page, until=self.options.app)
        if not page.location:
            page = await self.browser.post(
                page.form()[0], {"username": user, "password": "demo"}, source=page.url
            )
            page = await self.browser.follow(page, until=self.options.app)
        form = {
            "grant_type": "authorization_code",
            "code": page.query()["code"],
            "redirect_uri": self.callback,
        }
        status, answer = await self.post_json(f"{self.options.okta}{base}/token", form)
        assert status == 200, answer
        return answer
