"""The configuration that `gateway demo` runs on: what an operator would write, with the demo's values."""

from __future__ import annotations

import base64
from pathlib import Path

from gateway.demo import dice, keys
from gateway.demo.combinations import COMBINATIONS
from gateway.demo.options import CLIENT_ID, DemoOptions

SPA = Path(__file__).parent / "spa"

_TEMPLATE = """\
public_url: {app}
listen: {listen}
upstreams:
  - {{path: /api/, url: "http://{api}"}}
  - {{path: /, url: "file://{spa}"}}
{provider}session:
  key_files: [session-key]
state: sqlite://{state}
logout:
  chain: [{chain}]
{inbound}headers: {{{headers}}}
policies: builtin:groups
probes: {{listen: {probes}}}
admin: {{listen: {admin}}}
log: {{level: error, access: false}}
"""


def write(
    directory: Path,
    options: DemoOptions,
    *,
    listen: str = "127.0.0.1:8080",
    api: str = "127.0.0.1:8083",
    probes: str = "127.0.0.1:9091",
    admin: str = "127.0.0.1:9090",
) -> Path:
    """Write `gateway.yaml` with its key and secret files into *directory*; return its path."""
    _secret(directory / "session-key", base64.b64encode(dice.key()).decode())
    _secret(directory / "client-secret", options.client_secret)
    _secret(directory / "okta-hook-secret", options.hook_secret)
    pieces = COMBINATIONS[options.federation].pieces(
        app=options.app,
        issuer=options.issuer,
        cognito=options.cognito,
        okta=options.okta,
        client_id=CLIENT_ID,
    )
    if "okta-saml.pem" in pieces["inbound"]:
        (directory / "okta-saml.pem").write_text(keys.certificate("okta saml"))
    path = directory / "gateway.yaml"
    path.write_text(
        _TEMPLATE.format(
            app=options.app,
            listen=listen,
            api=api,
            spa=SPA,
            state=directory / "state.db",
            probes=probes,
            admin=admin,
            **pieces,
        )
    )
    return path


def _secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
