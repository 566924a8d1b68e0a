"""Two gateways on one host name: cookies know no ports, so each has a suffix, and leaves the other's alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand, standing


def shared(one: Browser, other: Browser, at: Stand) -> None:
    """What ``one`` keeps of this host name ``other`` sends too, as one browser would."""
    other.cookies |= {
        (urlsplit(at.app).netloc, name): kept
        for (owner, name), kept in one.cookies.items()
        if owner.partition(":")[0] == urlsplit(at.app).hostname
    }


async def test_what_one_deployment_does_leaves_the_others_cookies_alone(tmp_path: Path) -> None:
    """Sign-in, use and sign-out at one, with the other's session and its attempts in the same browser."""
    async with AsyncExitStack() as opened:
        stands = []
        for suffix in ("blue", "green"):
            (directory := tmp_path / suffix).mkdir()
            named = {"key_files: [session-key]": f"key_files: [session-key]\n  cookie_suffix: {suffix}"}
            stands.append(await opened.enter_async_context(standing(directory, replaced=named)))
        blue, green = stands
        at_blue, at_green = blue.browser(), green.browser()
        await blue.sign_in(at_blue, "/api/me")
        for _ in range(6):  # as many attempts as a deployment would begin to drop
            await at_blue.navigate(f"{blue.app}/oauth2/start")
        shared(at_blue, at_green, green)
        before = {name for _, name in at_green.cookies}
        assert {"__Host-session--blue"} < before
        assert all("--blue" in name for name in before)

        await green.sign_in(at_green, "/api/me")
        shared(at_green, at_blue, blue)
        assert (await at_blue.fetch(f"{blue.app}/api/me")).status == 200
        assert (await at_green.fetch(f"{green.app}/api/me")).status == 200
        assert (await green.sign_out(at_green)).path == "/logged-out"
        assert (await at_green.fetch(f"{green.app}/api/me")).status == 401

        by_green = [page for page in at_green.seen if page.url.startswith(green.app)]
        lines = [line for page in by_green for line in page.set_cookies()]
        assert any(line.startswith("__Host-session--green=;") for line in lines)
        assert [line for line in lines if "--green" not in line.partition("=")[0]] == []
        assert [
            page.header("Clear-Site-Data") for page in by_green if "cookies" in page.header("Clear-Site-Data")
        ] == []
        assert before <= {name for _, name in at_green.cookies}
        assert (await at_blue.fetch(f"{blue.app}/api/me")).status == 200
