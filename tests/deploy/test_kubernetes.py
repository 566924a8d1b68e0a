"""The Kubernetes manifests: valid by Kubernetes' own schemas, and their configuration by the gateway's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.config import examine
from gateway.core import dice
from tests.fakes.pieces import put

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))


def documents() -> list[dict[str, Any]]:
    assert MANIFESTS, "deploy/kubernetes holds no manifest"
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]


@pytest.mark.parametrize(
    "document", documents(), ids=lambda document: f"{document['kind']}-{document['metadata']['name']}"
)
def test_each_object_is_valid(document: dict[str, Any]) -> None:
    """The latest schema accepts it, unknown fields refused."""
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_gateway_accepts_the_configuration_of_the_sidecar(tmp_path: Path) -> None:
    """`gateway check` finds nothing that keeps it from starting, with the mounted paths in their places."""
    import base64

    config = next(document for document in documents() if document["kind"] == "ConfigMap")["data"][
        "gateway.yaml"
    ]
    config = put(config, dict.fromkeys(("/run/secrets/gateway", "/var/lib/gateway"), str(tmp_path)))
    (tmp_path / "session-key").write_text(base64.b64encode(dice.key()).decode())
    (tmp_path / "client-secret").write_text("c8cJw1mHnGq5")
    for secret in ("session-key", "client-secret"):
        (tmp_path / secret).chmod(0o600)
    path = tmp_path / "gateway.yaml"
    path.write_text(config)
    examination = examine(path, {})
    assert examination.settings is not None, [str(finding) for finding in examination.findings]


def test_probes_and_ports_match_the_configuration() -> None:
    """The probes ask the listener that the configuration opens, on paths that exist."""
    config = yaml.safe_load(
        next(document for document in documents() if document["kind"] == "ConfigMap")["data"]["gateway.yaml"]
    )
    deployment = next(document for document in documents() if document["kind"] == "Deployment")
    gateway = next(c for c in deployment["spec"]["template"]["spec"]["containers"] if c["name"] == "gateway")
    ports = {port["name"]: port["containerPort"] for port in gateway["ports"]}
    assert ports["http"] == int(config["listen"].rpartition(":")[2])
    assert ports["probes"] == int(config["probes"]["listen"].rpartition(":")[2])
    paths = {
        gateway[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {"/startupz", "/readyz", "/livez"}
    assert deployment["spec"]["replicas"] == 1, "the revocation log of this manifest is a file of the pod"
