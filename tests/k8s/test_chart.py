"""The chart in every combination of its choices: what it renders a cluster takes, and the gateway too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.doctor.registrations import registrations
from gateway.settings.state_urls import SqliteUrl
from tests.deploy.manifests import (
    SECRETS,
    Document,
    documents,
    faults,
    holds_together,
    kinds,
    one,
    pod_and_gateway,
    settings_of,
)  # fmt: skip
from tests.k8s.cases import BEGUN, CONFIG, MODES, STATES, combinations, merged
from tests.k8s.rendering import ROOT, run

CHART = ROOT / "deploy" / "helm" / "spa-auth-gateway"
KEYS = ("session-key", "session-key-before", "client-secret", "redis-password", "redis-ca")
COMBINATIONS = combinations()
ALERTS = ROOT / "deploy" / "monitoring" / "alerts.yaml"


def written(values: Mapping[str, Any], directory: Path) -> Path:
    path = directory / "values.yaml"
    path.write_text(json.dumps(values))
    return path


def rendered(values: Mapping[str, Any], directory: Path) -> list[Document]:
    ran = run("helm", "template", "spa", CHART, "-f", written(values, directory))
    assert ran.returncode == 0, ran.stderr
    return documents(ran.stdout)


def refused(values: Mapping[str, Any], directory: Path) -> str:
    """What is said of values that are not good."""
    ran = run("helm", "template", "spa", CHART, "-f", written(values, directory))
    assert ran.returncode != 0
    assert ran.stdout == ""
    return ran.stderr


@pytest.mark.parametrize("name", COMBINATIONS)
def test_each_combination_is_taken_by_the_cluster_and_by_the_gateway(name: str, tmp_path: Path) -> None:
    """Each object by its schema, unknown fields refused; the configuration by the gateway, and both say the same."""
    values = COMBINATIONS[name]
    found = rendered(values, tmp_path)
    assert faults(found) == []
    settings = settings_of(found, tmp_path, KEYS)
    holds_together(found, settings)
    assert {each["metadata"]["namespace"] for each in found} == {"default"}
    selected = one(found, "Deployment")["spec"]["selector"]["matchLabels"]
    assert selected.items() <= one(found, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    assert one(found, "Service", "spa")["spec"]["selector"] == selected
    expected = {"ConfigMap", "Deployment", "Service"}
    expected |= {"NetworkPolicy"} if values.get("networkPolicy", {}).get("enabled", True) else set()
    expected |= {"HorizontalPodAutoscaler"} if "autoscaling" in values else set()
    if isinstance(settings.state, SqliteUrl):
        expected |= set() if name.endswith("a claim") else {"PersistentVolumeClaim"}
    else:
        expected |= {"PodDisruptionBudget"}
    if name.endswith("everything"):
        expected |= {"Ingress", "HTTPRoute", "ServiceMonitor", "PrometheusRule"}
    assert set(kinds(found)) == expected


@pytest.mark.parametrize("mode", MODES)
def test_nobody_but_the_gateway_reaches_the_application(mode: str, tmp_path: Path) -> None:
    """In its pod only the gateway's ports are open; pods of its own answer those of the gateway alone."""
    found = rendered(merged(BEGUN, MODES[mode]), tmp_path)
    gateways = one(found, "Deployment")["spec"]["selector"]["matchLabels"]
    ours = one(found, "NetworkPolicy", "spa")["spec"]
    assert ours["podSelector"] == {"matchLabels": gateways}
    assert [rule["ports"] for rule in ours["ingress"]] == [[{"port": "http"}], [{"port": "probes"}]]
    assert "from" in ours["ingress"][1]
    if mode == "standalone":
        theirs = one(found, "NetworkPolicy", "spa-application")["spec"]
        assert theirs["podSelector"] == {"matchLabels": {"app": "spa"}}
        assert theirs["ingress"] == [{"from": [{"podSelector": {"matchLabels": gateways}}]}]


def test_a_route_and_an_ingress_lead_every_path_of_the_host_to_the_gateway(tmp_path: Path) -> None:
    """Its own pages and the ways out are among them, without a list of them."""
    found = rendered(COMBINATIONS["sidecar, redis: everything"], tmp_path)
    port = one(found, "Service", "spa")["spec"]["ports"][0]
    (rule,) = one(found, "Ingress")["spec"]["rules"]
    assert rule["host"] == "app.example.com"
    assert rule["http"]["paths"] == [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "spa", "port": {"name": port["name"]}}}}
    ]  # fmt: skip
    route = one(found, "HTTPRoute")["spec"]
    assert route["hostnames"] == ["app.example.com"]
    assert route["rules"] == [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [{"name": "spa", "port": port["port"]}]}
    ]  # fmt: skip


def test_prometheus_finds_the_metrics_and_gets_the_rules(tmp_path: Path) -> None:
    """The monitor selects the one Service with the probes, and the rules are those of deploy/monitoring."""
    found = rendered(COMBINATIONS["sidecar, redis: everything"], tmp_path)
    monitor = one(found, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    services = [
        each
        for each in found
        if each["kind"] == "Service" and wanted.items() <= each["metadata"]["labels"].items()
    ]
    assert [port["name"] for each in services for port in each["spec"]["ports"]] == [
        monitor["spec"]["endpoints"][0]["port"]
    ]
    assert one(found, "PrometheusRule")["spec"] == yaml.safe_load(ALERTS.read_text())
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_a_changed_configuration_is_a_new_pod_and_a_changed_secret_is_none(tmp_path: Path) -> None:
    """The one is read at the start, the other is followed: the pods have the name of the Secret alone."""

    def pods(values: Mapping[str, Any]) -> Any:
        return one(rendered(values, tmp_path), "Deployment")["spec"]["template"]

    before = pods(COMBINATIONS["sidecar, sqlite: nothing"])
    other = merged(COMBINATIONS["sidecar, sqlite: nothing"], {"config": {"limits": {"body": 1}}})
    assert pods(other)["metadata"]["annotations"] != before["metadata"]["annotations"]
    assert pods(other)["spec"] == before["spec"]
    assert {
        "name": "gateway-secrets",
        "secret": {"secretName": "spa-secrets", "defaultMode": 0o440},
    } in before["spec"]["volumes"]


def test_an_application_keeps_its_own_hook(tmp_path: Path) -> None:
    """And whoever has none waits until the gateway takes nobody any more."""
    pod, _ = pod_and_gateway(
        rendered(COMBINATIONS["sidecar, sqlite: an application with hooks and a volume"], tmp_path)
    )
    sleeps = {each["name"]: each["lifecycle"]["preStop"]["sleep"]["seconds"] for each in pod["containers"]}
    assert sleeps == {"application": 40, "api": 20}


SECRET_KEYS = re.findall(
    r"^\| `([a-z_.]+)` \| secret \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE
)
SIDECAR = merged(BEGUN, MODES["sidecar"])
BAD: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "sqlite with replicas": ({"replicas": 2}, "set state.kind to redis"),
    "an autoscaler on sqlite": ({"autoscaling": {"enabled": True}}, "autoscaling needs state.kind redis"),
    "no secret": ({"secrets": {"existingSecret": ""}}, "secrets.existingSecret is missing: make a Secret"),
    "no address": ({"config": {"public_url": ""}}, "config.public_url is missing"),
    "nowhere to lead to": ({"config": {"upstreams": []}}, "config.upstreams is missing"),
    "no application": ({"application": {"containers": []}}, "application.containers is missing"),
    "an application of its own": ({"mode": "standalone"}, "application.containers are for mode sidecar"),
    "an application that is not named": (
        {"mode": "standalone", "application": {"containers": []}}, "application.podSelector is missing",
    ),
    "a route to nobody": ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is missing"),
    "redis without an address": ({"state": {"kind": "redis"}}, "state.redis.url is missing"),
    "a user without a password": (
        {"state": {"kind": "redis", "redis": {"url": "rediss://gateway@redis:6379/0", "passwordKey": ""}}},
        "state.redis.passwordKey is missing",
    ),
    "a password in an address": (
        {"state": {"kind": "redis", "redis": {"url": "rediss://gateway:pw@redis:6379/0"}}}, "/state/redis/url",
    ),
    "a mode that is none": ({"mode": "ambassador"}, "'sidecar', 'standalone'"),
    "a key that is none": ({"secrets": {"exsitingSecret": "spa"}}, "'exsitingSecret' not allowed"),
    "a number as a text": ({"drain": {"accept": "15s"}}, "/drain/accept"),
    "two gateways in a pod": (
        {"application": {"containers": [{"name": "gateway", "image": "spa"}]}}, "/application/containers/0/name",
    ),
    **{
        f"the chart's own {path}": ({"config": nested}, f"config.{path} is set by the chart: leave it out")
        for path, nested in {
            "listen": {"listen": "0.0.0.0:80"}, "probes.listen": {"probes": {"listen": "0.0.0.0:80"}},
            "session.key_files": {"session": {"key_files": ["k"]}}, "state": {"state": "sqlite:///x/y.db"},
            "provider.client_secret_file": {"provider": {"client_secret_file": "s"}},
            "redis.spool": {"redis": {"spool": "/x"}}, "timeouts.drain": {"timeouts": {"drain": "5s"}},
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_values_that_would_not_do_are_refused_with_the_fix(what: str, tmp_path: Path) -> None:
    """Nothing is rendered."""
    values, said = BAD[what]
    assert said in refused(merged(SIDECAR, values), tmp_path)


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_never_stands_in_values(key: str, tmp_path: Path) -> None:
    """Whichever of the gateway's it is: values are kept in repositories and in the cluster, to be read by many."""
    nested: Any = "Zm9yIHRlc3RzIG9ubHk"
    for step in reversed(key.split(".")):
        nested = {step: nested}
    said = refused(merged(SIDECAR, {"config": nested}), tmp_path)
    assert "config has a secret in it" in said
    assert f"{key.rpartition('.')[2]}_file" in said
    assert "Zm9y" not in said


def test_a_password_never_stands_in_an_address(tmp_path: Path) -> None:
    """Nor is it repeated. The schema has no room for one in that of Redis."""
    proxy = {"provider": {"proxy": "http://gateway:Zm9y@proxy.example.com:3128"}}
    said = refused(merged(SIDECAR, {"config": proxy}), tmp_path)
    assert "config has a password in an address" in said
    assert "Zm9y" not in said


NOTED: Mapping[str, Mapping[str, Any]] = {
    "cognito": {},
    "cognito alone": {"logout": {"chain": None}},
    "under another prefix": {"prefix": "/gateway"},
    **{
        kind: {"provider": {"kind": kind, "issuer": issuer, "domain": None, "identity_provider": None}, "logout": None, **more}
        for kind, issuer, more in (
            ("okta", "https://example.okta.com", {}),
            ("keycloak", "https://id.example.com/realms/spa", {"inbound": {"backchannel": True, "frontchannel": True}}),
            ("entra", "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0", {}),
            ("auth0", "https://example.eu.auth0.com/", {"logout": {"chain": [{"auth0": "federated"}]}}),
            ("oidc", "https://id.example.com", {"logout": {"chain": [{"oidc": "form"}]}}),
        )
    },
    "told by Okta": {
        "provider": {"linked_providers": {"https://example.okta.com": "Okta"}},
        "inbound": {
            "universal_logout": {"issuer": "https://example.okta.com", "subject": "0oa1", "jwks_uri": "https://example.okta.com/keys"},
            "security_events": {"issuer": "https://example.okta.com", "audience": "https://app.example.com", "jwks_uri": "https://example.okta.com/keys"},
            "okta_event_hook": {"issuer": "https://example.okta.com", "secret_file": f"{SECRETS}/client-secret"},
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("what", NOTED)
def test_the_notes_name_what_is_to_be_registered(what: str, tmp_path: Path) -> None:
    """Every address of ours that `gateway doctor --register` names, and no other."""
    values = merged(SIDECAR, {"config": NOTED[what]})
    settings = settings_of(rendered(values, tmp_path), tmp_path, KEYS)
    ran = run(
        "helm", "install", "spa", CHART, "--dry-run=client", "--hide-secret", "-f", written(values, tmp_path)
    )
    assert ran.returncode == 0, ran.stderr
    notes = ran.stdout.partition("\nNOTES:\n")[2]
    origin = CONFIG["public_url"]
    wanted = {each.value for each in registrations(settings) if each.value.startswith(origin)}
    assert set(re.findall(rf"{origin}\S*", notes)) | {f"{origin}/"} == wanted | {f"{origin}/"}
    assert "gateway doctor -c /etc/gateway/gateway.yaml" in notes


def test_helm_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    """``helm lint`` with the values of one who has begun."""
    ran = run("helm", "lint", "--strict", CHART, "-f", written(SIDECAR, tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_schema_has_the_values_that_there_are() -> None:
    """In both directions, and the defaults of values.yaml are what the page of the chart says."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compared(told: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
        if known.get("additionalProperties") is False:
            assert set(told) == set(known["properties"]) - {"global"}, where
            for name, inner in told.items():
                if isinstance(inner, dict):
                    compared(inner, known["properties"][name], f"{where}.{name}")

    compared(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "values")


def test_the_chart_has_the_version_of_the_gateway() -> None:
    """Its image is of that version where no other is named."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{chart["appVersion"]}"\n' in project


def test_states_of_the_cases_are_those_of_the_schema() -> None:
    """Who adds one tries it in every combination."""
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    assert set(schema["mode"]["enum"]) == set(MODES)
    assert set(schema["state"]["properties"]["kind"]["enum"]) == set(STATES)
