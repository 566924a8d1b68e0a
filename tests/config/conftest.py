"""A small sound configuration, and a way to change one key of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import CheckResult, examine
from gateway.core import dice
from gateway.core.session.key_file import format_key

SOUND: Mapping[str, Any] = {
    "public_url": "https://app.example.com",
    "upstreams": [{"path": "/", "url": "http://127.0.0.1:3000"}],
    "provider": {
        "kind": "cognito",
        "issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf",
        "domain": "https://example.auth.eu-west-1.amazoncognito.com",
        "client_id": "1h57kf5cpq17m0eml12EXAMPLE",
        "client_secret_file": "client-secret",
    },
    "session": {"key_files": ["session-key"], "passive": ["/poll/"]},
    "state": "sqlite:///var/lib/gateway/state.db",
    "logout": {"chain": ["cognito", {"okta_signout": "https://example.okta.com"}]},
}

Examine = Callable[..., CheckResult]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A directory with a session key, a client secret and room for the log."""
    for name, text in {"session-key": format_key(dice.key()), "client-secret": "hush-hush"}.items():
        (tmp_path / name).write_text(f"{text}\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def examined(house: Path) -> Examine:
    """``examined({"session.idle": "13h"}, GATEWAY_LISTEN="…")``: the sound configuration with these changes.

    None as a value removes the key.
    """

    def run(changes: Mapping[str, Any] | None = None, **environ: str) -> CheckResult:
        values = copy.deepcopy(dict(SOUND))
        values["state"] = f"sqlite://{house}/state.db"
        for key, value in (changes or {}).items():
            _change(values, key.split("."), value)
        file = house / "gateway.yaml"
        file.write_text(yaml.safe_dump(values, sort_keys=False))
        return examine(file, environ)

    return run


@pytest.fixture
def found(examined: Examine) -> Callable[..., list[str]]:
    """What is found after the changes: ``key: what; fix`` lines without their places."""

    def run(changes: Mapping[str, Any] | None = None, **environ: str) -> list[str]:
        findings = examined(changes, **environ).findings
        return [str(finding).removeprefix(str(finding.place)).strip(": ") for finding in findings]

    return run


def _change(values: dict[str, Any], way: list[str], value: object) -> None:
    for part in way[:-1]:
        values = values.setdefault(part, {})
    if value is None:
        values.pop(way[-1], None)
    else:
        values[way[-1]] = value
