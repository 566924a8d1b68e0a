"""Signing out at each kind of provider, over real sockets (facts B.3, C.1, E.2, E.3)."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.sso import CLIENT, Sso
from tests.flows.provided import house


async def test_r34_an_oidc_provider_is_asked_by_a_form(tmp_path: Path) -> None:
    """The whole way: the hint travels in a form, the return with its state is seen, nobody is signed in any more."""
    async with house(tmp_path, Sso("oidc"), chain="[oidc]") as here:
        browser = here.browser()
        page = await here.sign_in(browser)
        assert "the application" in page.text
        end = await here.sign_out(browser)
        assert end.path == "/logged-out"
        assert await here.receipt(browser) == {"oidc": "returned"}
        ((method, asked),) = here.sso.sign_outs
        assert method == "POST"
        assert set(asked) == {"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}
        assert (asked["client_id"], asked["post_logout_redirect_uri"]) == (
            CLIENT,
            f"{here.app}/logout/done/oidc",
        )
        assert here.sso.sessions == {}
        assert not any("id_token_hint" in seen.url for seen in browser.seen)
        assert "__Secure-session-hint" not in browser.cookie_names(here.app)
