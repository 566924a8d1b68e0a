"""The overlays for Kustomize, rendered: what they make a cluster takes, and the gateway too."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.state_urls import SqliteUrl
from tests.deploy.manifests import Document, documents, faults, holds_together, kinds, settings_of
from tests.k8s.rendering import ROOT, run

DEPLOY = ROOT / "deploy"
KEYS = ("session-key", "session-key-before", "client-secret", "redis-password")


def rendered(directory: str) -> str:
    ran = run("kubectl", "kustomize", DEPLOY / directory)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_base_is_the_sidecar_and_nothing_else() -> None:
    """Who uses Kustomize and who does not get the same objects."""

    def by_name(text: str) -> list[Document]:
        return sorted(documents(text), key=lambda each: (each["kind"], each["metadata"]["name"]))

    assert by_name(rendered("kubernetes")) == by_name((DEPLOY / "kubernetes" / "sidecar.yaml").read_text())


def test_the_overlay_on_redis_is_valid_and_holds_together(tmp_path: Path) -> None:
    """Several replicas, their state in Redis, and no volume that would be of one of them."""
    found = documents(rendered("kustomize/redis"))
    assert faults(found) == []
    settings = settings_of(found, tmp_path, KEYS)
    assert not isinstance(settings.state, SqliteUrl)
    holds_together(found, settings)
    assert kinds(found) == ["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"]
