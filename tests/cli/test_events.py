"""``gateway events`` against the emulated Okta, which is a transmitter in Okta's own shape."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.demo import configuration, idp
from gateway.demo.okta.transmitter import TOKEN
from gateway.demo.options import DemoOptions
from gateway.oidc.events import ssf_stream
from gateway.oidc.wire import ProviderResponse
from tests.fakes.configured import with_inbound
from tests.fakes.ports import on_free_ports


@dataclass
class Place:
    """A configuration whose transmitter runs."""

    config: Path
    okta: str
    app: str

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and error of ``gateway events …``."""
        runner = CliRunner()
        result = await asyncio.to_thread(runner.invoke, app, ["events", *words, "-c", str(self.config)])
        return result.exit_code, result.stdout, result.stderr

    async def told(self, *words: str) -> dict[str, Any]:
        """The JSON that a command prints when it succeeds."""
        status, out, err = await self.run(*words)
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    options = on_free_ports(replace(DemoOptions(), federation="oidc"))
    running = await idp.start(options, on_event=lambda line: None)
    config = configuration.write(tmp_path, options, listen="127.0.0.1:0", probes="127.0.0.1:0")
    asked = (
        f"issuer: '{options.okta}', audience: '{options.app}', jwks_uri: '{options.okta}/oauth2/v1/keys',"
        f" token: {TOKEN}, secret: agreed-upon-secret"
    )
    config.write_text(with_inbound(config.read_text(), f"inbound:\n  security_events: {{{asked}}}\n"))
    yield Place(config, options.okta, options.app)
    await running.close()


async def test_a_stream_is_made_shown_verified_and_ended(place: Place) -> None:
    """Pushed to our own endpoint, with the secret that is agreed upon, which is not shown."""
    made = await place.told("create")
    assert made["delivery"]["endpoint_url"] == f"{place.app}/oauth2/security-events"
    assert any(kind.endswith("/session-revoked") for kind in made["events_requested"])
    assert "agreed-upon-secret" not in str(made)
    shown = await place.told("status")
    assert (shown["stream_id"], shown["status"]) == (made["stream_id"], "enabled")
    status, out, _ = await place.run("verify")
    assert (status, "stream_verified" in out) == (0, True)
    assert (await place.run("delete"))[:2] == (0, "ended\n")
    status, _, err = await place.run("status")
    assert (status, "no such stream" in err) == (1, True)


async def test_a_stream_that_is_fetched_says_from_where(place: Place) -> None:
    """The address is the transmitter's to choose, and the operator's to configure."""
    status, out, err = await place.run("create", "--poll")
    made = json.loads(out)
    assert (status, made["delivery"]["method"]) == (0, "urn:ietf:rfc:8936")
    assert f"poll_endpoint to {made['delivery']['endpoint_url']}" in err
    status, _, err = await place.run("create")
    assert (status, "delete it first" in err) == (1, True)


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [
        (f" token: {TOKEN},", "", 2, "token_file is not set"),
        (TOKEN, "another-token", 1, "not good there"),
        ("issuer: 'http://okta.localhost", "issuer: 'http://nobody.localhost", 1, "metadata: answered 421"),
        ("  security_events:", "  #security_events:", 2, "inbound.security_events is not set"),
    ],
)
async def test_what_cannot_be_done_is_said(place: Place, old: str, new: str, status: int, said: str) -> None:
    """With the fix, and its own exit status."""
    text = place.config.read_text()
    place.config.write_text(text.replace(old, new))
    found, _, err = await place.run("status")
    assert (found, said in err) == (status, True), err


async def test_a_transmitter_that_verifies_no_streams_is_said_to_be_that(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both addresses are optional (Shared Signals Framework §7.1): what can be shown is."""
    parse = ssf_stream.parse_stream_metadata

    def fewer(answer: ProviderResponse, *, issuer: str) -> ssf_stream.StreamEndpoints:
        return replace(parse(answer, issuer=issuer), status=None, verification=None)

    monkeypatch.setattr(ssf_stream, "parse_stream_metadata", fewer)
    made = await place.told("create")
    shown = await place.told("status")
    assert (shown["stream_id"], shown.get("status")) == (made["stream_id"], None)
    assert await place.run("verify") == (1, "", "gateway: the transmitter verifies no streams\n")


async def test_a_configuration_that_cannot_be_used_says_why(place: Place) -> None:
    """Before anybody is asked."""
    place.config.write_text("listen: nowhere\n")
    status, out, err = await place.run("status")
    assert (status, out) == (1, "")
    assert "listen" in err
