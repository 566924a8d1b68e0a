"""Every combination's sign-out on the wire, line by line: the sequences of facts E.4 as transcripts.

GW is the gateway, DOM Cognito's domain, ORG Okta; (GW is an address of the gateway, percent-encoded. A transcript has
every request of the browser with its form and the names of its cookies, and of every answer the status, the address it
leads to, the form it has the browser post, and the cookies it sets. Only what must be new each time, or is sealed or
signed, stands in <brackets>.

Two lines differ from facts E.4, because the design decided otherwise since: the gateway's return address is one for each
hop, and `__Host-logout` stays after the receipt, closed, for as long as a session may live (rules R2 and R3).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from aiohttp import encode_basic_auth

from gateway.demo.options import CLIENT_ID, CLIENT_SECRET
from tests.fakes.browser import Browser, Seen
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.flows.conftest import Stand, standing

ENDING = """\
  Set-Cookie: __Host-logout=<sealed>; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200
  Set-Cookie: __Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0
  Set-Cookie: __Host-session_1=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0
  Set-Cookie: __Host-session_2=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0
  Set-Cookie: __Host-session_3=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0
  Set-Cookie: __Host-session_4=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0
"""
STEP = """\
  Set-Cookie: __Host-logout=<sealed>; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200
"""
RECEIPT = """\
> GET GW/logged-out
  Cookie: __Host-logout
< 200
"""
COGNITO_ENDS = """\
  Set-Cookie: cognito=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax
"""
OKTA_ENDS = """\
  Set-Cookie: idx=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None
  Set-Cookie: sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None
"""
TO_COGNITO = f"""\
> POST GW/logout
  Cookie: __Host-session
< 303 DOM/logout?client_id=demo-client&logout_uri=(GW%2Flogout%2Fdone%2Fcognito
{ENDING}\
> GET DOM/logout?client_id=demo-client&logout_uri=(GW%2Flogout%2Fdone%2Fcognito
  Cookie: cognito
"""
AT_COGNITO = f"""\
{TO_COGNITO}\
< 302 GW/logout/done/cognito
{COGNITO_ENDS}\
"""
BACK_FROM_COGNITO = """\
> GET GW/logout/done/cognito
  Cookie: __Host-logout
"""
NATIVE = f"""\
{AT_COGNITO}\
{BACK_FROM_COGNITO}\
< 302 GW/logged-out
{STEP}\
{RECEIPT}\
"""
HUB = f"""\
{AT_COGNITO}\
{BACK_FROM_COGNITO}\
< 302 ORG/login/signout?fromURI=(GW%2Flogout%2Fdone%2Fokta_signout%2F<ticket>
{STEP}\
> GET ORG/login/signout?fromURI=(GW%2Flogout%2Fdone%2Fokta_signout%2F<ticket>
  Cookie: DT idx
< 302 GW/logout/done/okta_signout/<ticket>
{OKTA_ENDS}\
> GET GW/logout/done/okta_signout/<ticket>
  Cookie: __Host-logout
< 302 GW/logged-out
{STEP}\
{RECEIPT}\
"""
SLO = f"""\
{TO_COGNITO}\
< 302 ORG/app/demo_cognito/exkdemocognito0d7/slo/saml?SAMLRequest=<message>&RelayState=<state>&SigAlg=RSA-SHA256&Signature=<signature>
> GET ORG/app/demo_cognito/exkdemocognito0d7/slo/saml?SAMLRequest=<message>&RelayState=<state>&SigAlg=RSA-SHA256&Signature=<signature>
  Cookie: DT idx
< 200 form to DOM/saml2/logout
{OKTA_ENDS}\
> POST DOM/saml2/logout
  SAMLResponse=<message>
  RelayState=<state>
< 302 GW/logout/done/cognito
{COGNITO_ENDS}\
{BACK_FROM_COGNITO}\
< 302 GW/logged-out
{STEP}\
{RECEIPT}\
"""
OIDC = f"""\
> POST GW/logout
  Cookie: __Host-session __Secure-session-hint
< 303 GW/logout/hop
{ENDING}\
> GET GW/logout/hop
  Cookie: __Host-logout __Secure-session-hint
< 200 form to BASE/v1/logout
{STEP}\
> POST BASE/v1/logout
  Cookie: DT idx
  id_token_hint=<message>
  client_id=demo-client
  post_logout_redirect_uri=GW/logout/done/oidc
  state=<state>
< 302 GW/logout/done/oidc?state=<state>
{OKTA_ENDS}\
> GET GW/logout/done/oidc?state=<state>
  Cookie: __Host-logout __Secure-session-hint
< 302 GW/logged-out
{STEP}\
  Set-Cookie: __Secure-session-hint=; Path=/logout; Secure; HttpOnly; SameSite=Lax; Max-Age=0
{RECEIPT}\
"""
ADDRESS = "BASE/v1/logout?id_token_hint=<token>&client_id=demo-client&post_logout_redirect_uri=(GW%2Flogout%2Fdone%2Foidc"
ANY = OIDC.replace("form to BASE/v1/logout", "on to ADDRESS&state=<state>").replace(
    """\
> POST BASE/v1/logout
  Cookie: DT idx
  id_token_hint=<message>
  client_id=demo-client
  post_logout_redirect_uri=GW/logout/done/oidc
  state=<state>
""",
    """\
> GET ADDRESS&state=<state>
  Cookie: DT idx
""",
)


@dataclass(frozen=True)
class Case:
    """A combination: the demo's name for it, the transcript, the lines of its receipt, where its tokens are from."""

    federation: str
    transcript: str
    confirmed: tuple[str, ...]
    issuer: str = "DOM/oauth2"
    replaced: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "1a": Case("slo", SLO, ("cognito",)),
    "1b": Case("saml", HUB, ("cognito", "okta_signout")),
    "2": Case("oidc", HUB, ("cognito", "okta_signout")),
    "3": Case("okta", OIDC.replace("BASE", "ORG/oauth2"), ("oidc",), "ORG/oauth2/v1"),
    "4": Case("cognito", NATIVE.replace("  Cookie: cognito", "  Cookie: XSRF-TOKEN cognito"), ("cognito",)),
    "5": Case(
        "okta",
        put(put(ANY, {"ADDRESS": ADDRESS}), {"BASE": "ORG/oauth2/default"}),
        ("oidc",),
        "ORG/oauth2/default/v1",
        {
            "kind: okta": "kind: oidc",
            "\n  client_id": "/oauth2/default\n  client_id",
            "chain: [oidc, ": "chain: [oidc]  # ",
        },
    ),
}
NEW_EACH_TIME = (
    (r"(SAMLRequest=)[^&]+", r"\1<message>"),
    (r"(RelayState=)[^&]+", r"\1<state>"),
    (r"(Signature=)[^&]+", r"\1<signature>"),
    (quote("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", safe=""), "RSA-SHA256"),
    (r"(okta_signout(?:/|%2F))[\w-]{22}$", r"\1<ticket>"),
    (r"(state=)[\w-]{22}$", r"\1<state>"),
    (r"(id_token_hint=)[^&]+", r"\1<token>"),
)
SECRET_FIELDS = {
    "id_token_hint": "<message>",
    "SAMLResponse": "<message>",
    "RelayState": "<state>",
    "state": "<state>",
}


@dataclass
class Witness(Browser):
    """A browser that writes the transcript from when it is told the stand."""

    stand: Stand | None = None
    lines: list[str] = field(default_factory=list)
    answers: list[Seen] = field(default_factory=list)

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: str | None, *, cross_site: bool = False
    ) -> Seen:
        if self.stand is None:
            return await super().send(method, url, headers, body, cross_site=cross_site)
        self.lines += [
            f"> {method} {self.short(url)}",
            *self._cookies(method, url, cross_site),
            *self._form(body),
        ]
        page = await super().send(method, url, headers, body, cross_site=cross_site)
        self.lines += self._answer(page)
        self.answers.append(page)
        return page

    def short(self, text: str) -> str:
        """With names for the parties, and for what is new each time."""
        assert self.stand is not None
        parties = {"GW": self.stand.app, "DOM": self.stand.cognito, "ORG": self.stand.okta}
        names = {origin: name for name, origin in parties.items()}
        names |= {quote(origin, safe=""): f"({name}" for origin, name in names.items()}
        text = put(text, {origin: name for origin, name in names.items() if origin in text})
        for pattern, short in NEW_EACH_TIME:
            text = re.sub(pattern, short, text)
        return text

    def _cookies(self, method: str, url: str, cross_site: bool) -> list[str]:
        names = {
            name
            for (owner, name), (_, policy) in self.cookies.items()
            if self._goes_to(owner, name, url)
            and (not cross_site or policy == "None" or (policy == "Lax" and method == "GET"))
        }
        return [f"  Cookie: {' '.join(sorted(names))}"] if names else []

    def _form(self, body: str | None) -> list[str]:
        pairs = parse_qsl(body or "")
        return [f"  {name}={SECRET_FIELDS.get(name) or self.short(value)}" for name, value in pairs]

    def _answer(self, page: Seen) -> list[str]:
        where = f" {self.short(page.location)}" if page.location else ""
        if "document.forms[0].submit()" in page.text:
            where = f" form to {self.short(page.form()[0])}"
        elif page.status in {200, 401} and ' moving">' in page.text and "/logout/hop" in page.url:
            where = f" on to {self.short(page.continue_url())}"
        cookies = [re.sub(r"=[\w-]{40,};", "=<sealed>;", line) for line in page.set_cookies()]
        return [f"< {page.status}{where}", *(f"  Set-Cookie: {line}" for line in cookies)]


@pytest.mark.parametrize("key", CASES)
async def test_a_sign_out_is_this_to_the_byte(tmp_path: Path, key: str) -> None:
    """Requests, answers, cookies; afterwards nothing is left alive anywhere."""
    case = CASES[key]
    async with standing(tmp_path, federation=case.federation, replaced=case.replaced) as stand:
        browser = Witness.open()
        stand.browsers.append(browser)
        await stand.sign_in(browser, "/reports")
        forget_attempts(browser)
        copied, token = browser.cookie_header(stand.app), refresh_token(stand)
        browser.stand = stand
        await stand.sign_out(browser)
        assert "\n".join(browser.lines) + "\n" == case.transcript
        own = [page for page in browser.answers if page.url.startswith(stand.app)]
        assert {page.header("Cache-Control") for page in own} == {"no-store"}
        assert {page.header("Referrer-Policy") for page in own if page.location} == {"no-referrer"}
        browser.stand = None
        await is_dead(stand, browser, case, copied, token)


async def is_dead(stand: Stand, browser: Browser, case: Case, copied: str, token: str) -> None:
    """The post-conditions of facts E.4."""
    receipt = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
    said = {hop["hop"]: hop["status"] for hop in json.loads(receipt.text)["hops"]}
    assert [hop for hop, status in said.items() if status == "returned"] == list(case.confirmed)
    assert set(said.values()) <= {"returned", "skipped"}
    thief = stand.browser()
    assert (await thief.fetch(f"{stand.app}/api/me", Cookie=copied)).status == 401
    assert (await browser.fetch(f"{stand.app}/api/me")).status == 401
    asked = await browser.navigate(f"{stand.app}/reports")
    assert (asked.status, urlsplit(asked.location).path) == (302, "/oauth2/start")
    assert (await browser.goto(f"{stand.okta}/")).asks_for_password
    silent = await browser.goto(f"{stand.cognito}/oauth2/authorize?{authorization(stand)}", until=stand.app)
    assert not silent.location.startswith(stand.app), "Cognito gives a code without asking"
    async with asyncio.timeout(PATIENCE):  # it is revoked beside the chain, which does not wait for that
        while (answer := await redeemed(stand, case.issuer, token)) == (200, ""):
            await asyncio.sleep(0.02)
    assert answer == (400, "invalid_grant")
    revoked = (
        "/oauth2/revoke" if case.issuer.startswith("DOM") else case.issuer.removeprefix("ORG") + "/revoke"
    )
    idp = stand.idp
    calls = [*idp.cognito.common.calls, *idp.okta.common.calls]
    assert [(call.method, call.status) for call in calls if call.path == revoked] == [("POST", 200)]


def forget_attempts(browser: Browser) -> None:
    """No browser but this one has them left: a real one comes by the landing page, which expires them."""
    for owner, name in list(browser.cookies):
        if name.startswith("__Host-login_"):
            del browser.cookies[owner, name]


def refresh_token(stand: Stand) -> str:
    """The one that the gateway was given."""
    (token,) = [*stand.idp.cognito.refresh_tokens, *stand.idp.okta.refresh_tokens]
    return token


def authorization(stand: Stand) -> str:
    """What a gateway asks Cognito for, without the wish for a fresh sign-in."""
    callback = f"{stand.app}/oauth2/callback"
    return urlencode(
        {
            "client_id": CLIENT_ID,
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": callback,
            "state": "s",
        }
    )


async def redeemed(stand: Stand, issuer: str, token: str) -> tuple[int, str]:
    """Status and error of a refresh with the old token, as the gateway's own client."""
    base = put(
        issuer, {name: url for name, url in (("DOM", stand.cognito), ("ORG", stand.okta)) if name in issuer}
    )
    form = {"grant_type": "refresh_token", "refresh_token": token}
    headers = {"Authorization": encode_basic_auth(CLIENT_ID, CLIENT_SECRET)}
    async with stand.idp.http.post(f"{base}/token", data=form, headers=headers) as answer:
        return answer.status, (await answer.json()).get("error", "")
