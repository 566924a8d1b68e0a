"""What holds for a gateway in a cluster, whichever way its objects are made: by hand, by Kustomize, or by the chart."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from gateway.config import Settings, examine
from gateway.core import dice
from gateway.settings.state_urls import SqliteUrl
from gateway.settings.units import parse_size
from tests.deploy.fields import TABLE, kind_of
from tests.deploy.fields import faults as field_faults
from tests.fakes.certificates import Authority
from tests.fakes.pieces import put

Document = Mapping[str, Any]
SECRETS, STATE = "/run/secrets/gateway", "/var/lib/gateway"
WORST_CASE = 98 * 1024 * 1024
"""Bytes of a worker after everything the benchmark does: docs/performance.md."""
UNTOLD = 10
"""Seconds of a pod's end that nobody has planned."""


def documents(text: str) -> list[Document]:
    """The objects of such a text."""
    return [each for each in yaml.safe_load_all(text) if each]


def faults(found: Sequence[Document]) -> list[str]:
    """What a cluster would refuse: unknown fields included, and by our own table where Kubernetes has no schema."""
    told = []
    for each in found:
        where = f"{each['kind']} {each['metadata']['name']}"
        if kind_of(each) in TABLE:
            told += [f"{where}: {fault}" for fault in field_faults(each)]
            continue
        try:
            kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            told.append(f"{where}: {error.message}")
    return told


def one(found: Sequence[Document], kind: str, name: str = "") -> Document:
    """The only one of its kind, or of that kind and name."""
    (document,) = (each for each in found if each["kind"] == kind and name in {"", each["metadata"]["name"]})
    return document


def kinds(found: Sequence[Document]) -> list[str]:
    """Of all, in order of their names."""
    return sorted(each["kind"] for each in found)


def configuration(found: Sequence[Document]) -> str:
    """The text of gateway.yaml."""
    return str(next(each["data"] for each in found if each["kind"] == "ConfigMap")["gateway.yaml"])


def settings_of(found: Sequence[Document], directory: Path, secrets: Sequence[str]) -> Settings:
    """What the gateway would start with, the mounted directories being elsewhere; with the environment of its container.

    :param secrets: the keys of the Secret. :raises AssertionError: it would not start, or complains of something.
    """
    _, gateway = pod_and_gateway(found)
    state = directory / "state"
    state.mkdir(exist_ok=True)
    for name in secrets:
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(_secret(name, directory))

    def moved(text: str) -> str:
        return put(text, {each: new for each, new in places.items() if each in text})

    places = {SECRETS: str(directory), STATE: str(state)}
    path = directory / "gateway.yaml"
    path.write_text(moved(configuration(found)))
    environment = {each["name"]: moved(each["value"]) for each in gateway.get("env", [])}
    examination = examine(path, environment)
    assert examination.settings is not None, [str(finding) for finding in examination.findings]
    return examination.settings


def _secret(name: str, directory: Path) -> str:
    """Something that will do under this key."""
    if "session" in name:
        return base64.b64encode(dice.key()).decode()
    return Authority.make(directory).file.read_text() if name.endswith("-ca") else "c8cJw1mHnGq5Zk3vXr0Tb7Ly"


def pod_and_gateway(found: Sequence[Document]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The spec of the pods, and its container of the gateway."""
    pod = one(found, "Deployment")["spec"]["template"]["spec"]
    (gateway,) = (
        each for each in (*pod.get("initContainers", []), *pod["containers"]) if each["name"] == "gateway"
    )
    return pod, gateway


def holds_together(found: Sequence[Document], settings: Settings) -> None:
    """The configuration and the objects speak of the same: ports, probes, places, limits and times."""
    deployment = one(found, "Deployment")["spec"]
    pod, gateway = pod_and_gateway(found)
    _ports_and_probes(gateway, settings, one(found, "Service", "spa"))
    _rights(pod, gateway)
    _places(pod, gateway, settings)
    requests, limits = gateway["resources"]["requests"], gateway["resources"]["limits"]
    assert _bytes(requests["memory"]) >= WORST_CASE * 8 // 7
    assert _bytes(limits["memory"]) >= 2 * WORST_CASE
    _times(pod, gateway, settings)
    if isinstance(settings.state, SqliteUrl):
        assert deployment["replicas"] == 1, "a state file is of one pod"
        assert deployment["strategy"] == {"type": "Recreate"}, "two pods would be at one volume"
    else:
        assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def _ports_and_probes(gateway: Mapping[str, Any], settings: Settings, service: Document) -> None:
    ports = {port["name"]: port["containerPort"] for port in gateway["ports"]}
    assert ports == {"http": settings.listen.port, "probes": settings.probes.listen.port}
    asked = {
        probe: gateway[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert {probe: each["path"] for probe, each in asked.items()} == {
        "startupProbe": "/startupz", "readinessProbe": "/readyz", "livenessProbe": "/livez",
    }  # fmt: skip
    assert {each["port"] for each in asked.values()} == {"probes"}
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"], (
        "probes are not for everybody"
    )


def _rights(pod: Mapping[str, Any], gateway: Mapping[str, Any]) -> None:
    rights = {**pod["securityContext"], **gateway["securityContext"]}
    assert rights["runAsNonRoot"] is rights["readOnlyRootFilesystem"] is True
    assert (rights["runAsUser"], rights["fsGroup"]) == (10001, 10001), "the user of deploy/Dockerfile"
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


def _places(pod: Mapping[str, Any], gateway: Mapping[str, Any], settings: Settings) -> None:
    """What is read again has to be mounted whole, and what is written to has to be writable."""
    mounts = {each["mountPath"]: each for each in gateway["volumeMounts"]}
    assert set(mounts) == {"/etc/gateway", SECRETS, STATE, "/tmp"}
    assert not [each for each in mounts.values() if "subPath" in each], "what changes would never arrive"
    assert {path for path, each in mounts.items() if each.get("readOnly")} == {"/etc/gateway", SECRETS}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert set(volumes) >= {each["name"] for each in mounts.values()}
    assert volumes[mounts[SECRETS]["name"]]["secret"]["defaultMode"] == 0o440
    lasts = "persistentVolumeClaim" in volumes[mounts[STATE]["name"]]
    assert lasts == isinstance(settings.state, SqliteUrl), "the state outlives the pod"


def _times(pod: Mapping[str, Any], gateway: Mapping[str, Any], settings: Settings) -> None:
    """The gateway has the time to drain, and a native sidecar is told to before its application ends."""
    accept, drain = settings.timeouts.drain_accept, settings.timeouts.drain
    grace = pod["terminationGracePeriodSeconds"]
    assert grace >= accept + drain + UNTOLD
    beside = [each for each in pod["containers"] if each is not gateway]
    assert bool(beside) == (gateway.get("restartPolicy") == "Always")
    assert ("preStop" in gateway.get("lifecycle", {})) == bool(beside)
    for each in beside:
        sleeps = each["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert accept < sleeps <= grace - UNTOLD


def _bytes(written: str) -> int:
    return parse_size(f"{written}B" if written.endswith("i") else written)
