"""``docs/logout.md`` has what ``gateway doctor --register`` prints, to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.core import dice
from gateway.core.session.key_file import format_key
from gateway.doctor.registrations import registrations
from gateway.doctor.report import register_lines

PAGE = Path(__file__).parents[2] / "docs" / "logout.md"
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"
OKTA = "https://example.okta.com"
COGNITO = {
    "provider": {
        "kind": "cognito",
        "issuer": ISSUER,
        "domain": "https://example.auth.eu-west-1.amazoncognito.com",
        "client_id": "1h57kf5cpq17m0eml12EXAMPLE",
        "identity_provider": "Okta",
    },
    "logout": {"chain": ["cognito", {"okta_signout": OKTA}]},
}
DIRECT = {
    "provider": {"kind": "okta", "issuer": OKTA, "client_id": "0oaEXAMPLE"},
    "headers": {"groups": "groups"},
    "logout": {"chain": ["oidc", {"okta_signout": OKTA}]},
}


def printed(directory: Path, pieces: dict[str, Any]) -> str:
    key = directory / "session-key"
    key.touch(mode=0o600)
    key.write_text(format_key(dice.key()))
    whole = {
        "public_url": "https://app.example.com",
        "upstreams": [{"path": "/", "url": "http://127.0.0.1:3000"}],
        "session": {"key_files": ["session-key"]},
        "state": f"sqlite://{directory}/state.db",
        **pieces,
    }
    (directory / "gateway.yaml").write_text(json.dumps(whole))
    lines = register_lines(registrations(load(directory / "gateway.yaml", {})))
    return "\n".join(lines).strip()


@pytest.mark.parametrize(("mark", "pieces"), [("register", COGNITO), ("register-okta", DIRECT)])
def test_the_page_has_what_the_doctor_prints(tmp_path: Path, mark: str, pieces: dict[str, Any]) -> None:
    """Between its marks, as a block to copy from."""
    found = re.search(
        rf"<!-- {mark} -->\n```\n(.*?)\n```\n<!-- /{mark} -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    assert found[1] == printed(tmp_path, pieces)
