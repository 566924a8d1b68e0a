"""A deployment in a directory, examined by some checks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.core import dice
from gateway.core.session.key_file import format_key
from gateway.doctor.examination import CHECKS, Examination, examined
from gateway.doctor.verdict import Observation, Verdict
from tests.fakes.forge import rsa_key
from tests.fakes.puppet import Puppet, Says

OK, WARNING, FAILED, UNKNOWN = Verdict.OK, Verdict.WARNING, Verdict.FAILED, Verdict.UNKNOWN
APP = "http://app.localhost:8080"
SECRET = "the-secret-of-the-client"
KEY = rsa_key("one")


@dataclass
class Deployment:
    """What an operator wrote, as pieces that a test may replace, and what the doctor says of it."""

    directory: Path
    pieces: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def cognito(cls, directory: Path, idp: Puppet, **pieces: Any) -> Deployment:
        """Cognito with Okta behind it, both played by ``idp``, whose discovery is honest."""
        made = cls(directory, {"provider": cognito_provider(idp), **pieces})
        made.pieces.setdefault("logout", {"chain": ["cognito", {"okta_signout": idp.origin("okta")}]})
        idp.lines.update(honest(idp))
        return made

    @classmethod
    def openid(cls, directory: Path, idp: Puppet, kind: str = "oidc", **pieces: Any) -> Deployment:
        """A provider at ``idp`` that speaks OpenID Connect."""
        provider = {"kind": kind, "issuer": idp.origin("issuer"), "client_id": "client"}
        idp.lines.update(honest(idp, path=""))
        return cls(directory, {"provider": provider, "headers": {"groups": "groups"}, **pieces})

    def write(self) -> Path:
        key = self.directory / "session-key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(format_key(dice.key()))
        whole = {
            "public_url": APP,
            "upstreams": [{"path": "/", "url": f"file://{self.directory}/spa"}],
            "session": {"key_files": ["session-key"]},
            "state": f"sqlite://{self.directory}/state.db",
            **self.pieces,
        }
        (self.directory / "spa").mkdir(exist_ok=True)
        file = self.directory / "gateway.yaml"
        file.write_text(json.dumps(whole))  # JSON is YAML
        return file

    async def examined(
        self, *names: str, live: bool = False, saml_metadata: str = "", front: str = ""
    ) -> Examination:
        """By the checks of these names; by all without names."""
        checks = [check for check in CHECKS if check.name in names or not names]
        assert len(checks) >= len(names)
        return await examined(
            self.write(), environ={}, live=live, saml_metadata=saml_metadata, front=front, checks=checks
        )

    async def seen(
        self, name: str, *, live: bool = False, saml_metadata: str = "", front: str = ""
    ) -> list[Observation]:
        """What one check says; the configuration itself has to be good."""
        found = await self.examined(name, live=live, saml_metadata=saml_metadata, front=front)
        broken = [o for n, o in found.seen if n == "configuration" and o.verdict is FAILED]
        assert broken == []
        return [observation for check, observation in found.seen if check == name]

    async def only(self, name: str, *, live: bool = False) -> Observation:
        """The one thing that a check says."""
        (observation,) = await self.seen(name, live=live)
        return observation


def cognito_provider(idp: Puppet) -> dict[str, Any]:
    return {
        "kind": "cognito",
        "issuer": f"{idp.origin('issuer')}/eu-west-1_pool",
        "domain": idp.origin("login"),
        "client_id": "client",
        "client_secret": SECRET,
        "identity_provider": "Okta",
    }


def metadata(idp: Puppet, path: str = "/eu-west-1_pool") -> dict[str, Any]:
    base = idp.origin("login") if path else idp.origin("issuer")
    return {
        "issuer": f"{idp.origin('issuer')}{path}",
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "token_endpoint": f"{base}/oauth2/token",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "end_session_endpoint": f"{base}/logout",
        "jwks_uri": f"{idp.origin('issuer')}{path}/jwks.json",
    }


def honest(idp: Puppet, path: str = "/eu-west-1_pool", **changes: Any) -> dict[str, Says]:
    """Discovery and keys; a change of None takes a member away."""
    members = {name: value for name, value in (metadata(idp, path) | changes).items() if value is not None}
    keys = {"keys": [KEY.jwk()]}
    return {
        f"{path}/.well-known/openid-configuration": Says(body=json.dumps(members), kind="application/json"),
        f"{path}/jwks.json": Says(body=json.dumps(keys), kind="application/json"),
    }
