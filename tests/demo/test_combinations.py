"""Every way to sign in that the demo offers: the gateway takes its configuration, and one sign-out ends it all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.config import Severity, examine
from gateway.demo import configuration
from gateway.demo.combinations import COMBINATIONS
from gateway.demo.options import DemoOptions
from tests.flows.conftest import standing

KINDS = {"saml": "cognito", "slo": "cognito", "oidc": "cognito", "okta": "okta", "cognito": "cognito"}
RETURNED = {
    "saml": {"cognito": "returned", "okta_signout": "returned"},
    "slo": {"cognito": "returned"},
    "oidc": {"cognito": "returned", "okta_signout": "returned"},
    "okta": {"oidc": "returned", "okta_signout": "skipped"},
    "cognito": {"cognito": "returned"},
}
ROW = re.compile(r"^\| `(\w+)`(?: \(default\))? \| [^|]+ \| `\[(.*?)\]`", re.MULTILINE)


@pytest.mark.parametrize("federation", COMBINATIONS)
def test_the_gateway_takes_the_configuration(tmp_path: Path, federation: str) -> None:
    """For the kind of provider that the name stands for; the one warning is that it runs on localhost."""
    path = configuration.write(tmp_path, DemoOptions(federation=federation))

    examination = examine(path, {})

    assert examination.settings is not None
    assert examination.settings.provider.kind == KINDS[federation]
    assert examination.settings.public_url == "http://app.localhost:8080"
    warned = [finding.key for finding in examination.findings if finding.severity is Severity.WARNING]
    assert warned == ["public_url"]


def test_the_documentation_names_them_with_their_chains() -> None:
    """docs/demo.md has a row for each, in order, with the hops of its chain."""
    text = (Path(__file__).parents[2] / "docs" / "demo.md").read_text()
    documented = [(name, re.findall(r"\w+", chain)) for name, chain in ROW.findall(text)]
    actual = [
        (name, re.findall(r"\w+", each.chain.replace("{okta}", ""))) for name, each in COMBINATIONS.items()
    ]

    assert documented == actual


def test_a_name_that_is_none_is_explained() -> None:
    """The command says which there are."""
    result = CliRunner().invoke(app, ["demo", "idp", "--federation", "ldap"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "gateway: federation is one of saml, slo, oidc, okta, cognito, not 'ldap'\n"


@pytest.mark.parametrize("federation", COMBINATIONS)
async def test_one_sign_out_ends_every_session_there_is(tmp_path: Path, federation: str) -> None:
    """After it nobody is signed in at Cognito or Okta, the application is closed, and the receipt is complete."""
    async with standing(tmp_path, federation=federation) as stand:
        browser = stand.browser()
        page = await stand.sign_in(browser, "/api/me")
        assert '"alice@example.com"' in page.text, (page.url, page.status, page.text[:300])
        copied = browser.cookie_header(stand.app)

        receipt = await stand.sign_out(browser)

        assert (receipt.path, receipt.status) == ("/logged-out", 200)
        answer = await browser.fetch(f"{stand.app}/logged-out", Accept="application/json")
        assert {hop["hop"]: hop["status"] for hop in json.loads(answer.text)["hops"]} == RETURNED[federation]
        assert stand.idp.cognito.live_sessions() == stand.idp.okta.live_sessions() == []
        thief = stand.browser()
        assert (await thief.fetch(f"{stand.app}/api/me", Cookie=copied)).status == 401
