"""The Kubernetes manifests: valid by Kubernetes' own schemas, and one with the configuration in them.

``deploy/kustomize`` and ``deploy/helm`` are rendered by ``make k8s``.
"""

from __future__ import annotations

from pathlib import Path

from tests.deploy.manifests import documents, faults, holds_together, settings_of

MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes" / "sidecar.yaml"
SECRETS = ("session-key", "session-key-before", "client-secret")


def test_the_sidecar_is_valid_and_holds_together(tmp_path: Path) -> None:
    """The cluster takes each object, unknown fields refused; the gateway takes its configuration, and both say the same."""
    found = documents(MANIFEST.read_text())
    assert faults(found) == []
    holds_together(found, settings_of(found, tmp_path, SECRETS))


def test_what_a_cluster_would_refuse_is_found() -> None:
    """A field that is nowhere, and a value of the wrong type."""
    text = MANIFEST.read_text()
    for right, wrong in (
        ("fsGroupChangePolicy", "fsGroupChangePolice"),
        ("replicas: 1", "replicas: one"),
        ("sleep: {seconds", "sleep: {second"),
    ):
        assert right in text
        assert len(faults(documents(text.replace(right, wrong)))) == 1
