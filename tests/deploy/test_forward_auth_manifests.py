"""Forward-auth in Kubernetes: each manifest has fields that its kind has, and the contract of the dialect it is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.core.http.addresses import CLIENT_HEADERS
from gateway.core.http.facts import READ
from gateway.core.http.forwarded import TAKING_COOKIES
from gateway.core.session.identity_headers import IdentityOptions, identity_headers
from gateway.core.session.session import Principal
from tests.deploy.fields import at, faults
from tests.web.endpoints.test_forward_auth import FETCH, NAVIGATION, running

FOLDER = Path(__file__).parents[2] / "deploy" / "forward-auth" / "kubernetes"
MANIFESTS = sorted(path.name for path in FOLDER.glob("*.yaml"))
_NOBODY = Principal(issuer="", subject="", user="")

Documents = list[dict[str, Any]]


def documents(name: str) -> Documents:
    return [document for document in yaml.safe_load_all((FOLDER / name).read_text()) if document]


# What the gateway reads of a request that a proxy asks about. Framing is the question's own, Host and X-Forwarded-For are
# always sent or listed, and the other ways to name a client are for those who configure them.
ASKED_FOR = {
    name.decode() for name in READ - {b"host", b"content-length", b"transfer-encoding", b"x-forwarded-proto"}
}
ASKED_FOR = ASKED_FOR - {name.decode() for name in CLIENT_HEADERS} | {"x-forwarded-for", "sec-websocket-key"}
TOLD = {name.decode().lower() for name, _ in identity_headers(_NOBODY, IdentityOptions(), complete=True)} | {
    "cookie"
}

EXT_AUTHZ = "spec.rules[].filters[].externalAuth.http."
PLACES: Mapping[str, Mapping[str, str]] = {
    "envoy-gateway.yaml": {
        "asks": "spec.extAuth.headersToExtAuth[]", "told": "spec.extAuth.http.headersToBackend[]",
        "path": "spec.extAuth.http.path", "open": "spec.extAuth.failOpen",
    },
    "kgateway.yaml": {
        "asks": "spec.extAuth.headersToForward[]", "path": "spec.extAuth.httpService.pathPrefix", "open": "spec.extAuth.failOpen",
        "told": "spec.extAuth.httpService.authorizationResponse.headersToBackend[]",
        "refusal": "spec.extAuth.httpService.authorizationResponse.headersToClient[]",
    },
    "istio.yaml": {
        name: f"meshConfig.extensionProviders[].envoyExtAuthzHttp.{field}" for name, field in {
            "asks": "includeRequestHeadersInCheck[]", "told": "headersToUpstreamOnAllow[]", "path": "pathPrefix",
            "refusal": "headersToDownstreamOnDeny[]", "open": "failOpen",
        }.items()
    },
    "gateway-api.yaml": {"asks": f"{EXT_AUTHZ}allowedHeaders[]", "told": f"{EXT_AUTHZ}allowedResponseHeaders[]", "path": f"{EXT_AUTHZ}path"},
    "nginx-gateway-fabric.yaml": {
        "asks": f"{EXT_AUTHZ}allowedHeaders[]", "told": f"{EXT_AUTHZ}allowedResponseHeaders[]", "path": f"{EXT_AUTHZ}path",
    },
    "contour.yaml": {"open": "spec.virtualhost.authorization.failOpen"},
    "apisix.yaml": {
        name: f"spec.http[].plugins[].config.{field}" for name, field in {
            "asks": "request_headers[]", "told": "upstream_headers[]", "refusal": "client_headers[]", "open": "allow_degradation",
        }.items()
    },
}  # fmt: skip
"""Where each says it: what is sent with the question, what of a pass the application gets and of a refusal the browser, where
the question goes, and whether it passes when nobody answers. What is not there, its kind has not: then all of a refusal is
handed on, and nothing passes. Contour asks over gRPC: everything is sent, and the answer says itself what is taken out."""
LISTING = [name for name in MANIFESTS if "asks" in PLACES[name]]


def said(name: str, what: str) -> list[Any]:
    return [value for document in documents(name) for value in at(document, PLACES[name][what])]


def caller(name: str) -> str:
    found = re.search(r"forward_auth: \{caller: ([a-z-]+)[,}]", (FOLDER / name).read_text())
    assert found is not None, name
    return found[1]


def test_each_manifest_is_looked_at() -> None:
    """And there is none without its places."""
    assert sorted(PLACES) == MANIFESTS


@pytest.mark.parametrize("name", MANIFESTS)
def test_its_kinds_have_its_fields(name: str) -> None:
    """Unknown fields, values out of range and missing ones are refused, as the cluster would."""
    assert [fault for document in documents(name) for fault in faults(document)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.extAuth.failOpen", "no"), ("spec.extAuth.statusOnError", 200), ("spec.extAuth.timeout", 5),
        ("spec.extAuth.http.headers", ["x"]), ("spec.targetRefs", [{"kind": "HTTPRoute", "name": "x"}]),
    ],
)  # fmt: skip
def test_a_wrong_field_is_seen(path: str, value: object) -> None:
    """The table is no decoration."""
    policy = next(each for each in documents("envoy-gateway.yaml") if each["kind"] == "SecurityPolicy")
    *around, last = path.split(".")
    inner = policy
    for step in around:
        inner = inner[step]
    inner[last] = value
    assert len(faults(policy)) == 1


@pytest.mark.parametrize("name", LISTING)
def test_the_question_has_what_the_gateway_reads(name: str) -> None:
    """A header that the gateway begins to read, and a proxy does not send, would count as absent."""
    sends = {"x-forwarded-for"} if caller(name) == "apisix" else set()  # APISIX writes it itself
    listed = [header.lower() for header in said(name, "asks")]
    assert {*listed, *sends} == ASKED_FOR
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", LISTING)
def test_the_application_hears_who_it_is_and_gets_no_cookie_of_ours(name: str) -> None:
    """All identity headers of a pass, each of which is always there, and its Cookie, go over the client's."""
    assert {header.lower() for header in said(name, "told")} == TOLD
    assert caller(name) in TAKING_COOKIES


@pytest.mark.parametrize("name", [name for name in MANIFESTS if "refusal" in PLACES[name]])
@pytest.mark.parametrize("ask", [NAVIGATION, FETCH], ids=["people", "programs"])
async def test_a_refusal_reaches_the_browser_whole(tmp_path: Path, name: str, ask: tuple[str, ...]) -> None:
    """Whatever header the gateway's refusals have is listed."""
    listed = {header.lower() for header in said(name, "refusal")} | {
        "content-length",
        "date",
        "server",
        "connection",
    }
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "none.cedar").write_text(
        '@id("none") permit (principal is User, action, resource) when { false };'
    )
    kind = caller(name)
    about = ("X-Forwarded-Method: GET", "X-Forwarded-Host: app.localhost:8080", "X-Forwarded-Uri: /reports")
    path = "/oauth2/auth/reports" if kind == "envoy" else "/oauth2/auth"
    async with running(tmp_path, forward_auth=f"{{caller: {kind}}}", policies=str(policies)) as lab:
        statuses = set()
        for cookie in ("Cookie: a=1", lab.cookie()):
            answer = await lab.ask(cookie, *about, *ask, bare=True, path=path)
            statuses.add(answer.status)
            assert {header.decode().lower() for header, _ in answer.headers} - listed == set()
        assert statuses == {302 if ask is NAVIGATION else 401, 403}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_question_goes_where_it_is_answered_and_nothing_passes_without(name: str) -> None:
    """The path of the questions, and closed when the gateway does not answer."""
    if name == "apisix.yaml":
        (uri,) = (
            uri
            for uri in said(name, "asks") and at(documents(name)[0], "spec.http[].plugins[].config.uri")
            if "://" in uri
        )
        assert uri.endswith(":8080/oauth2/auth")
    elif name in LISTING:
        assert said(name, "path") == ["/oauth2/auth"]
    else:
        assert [(each["name"], each["port"]) for each in at(documents(name)[0], "spec.services[]")] == [
            ("gateway", 9092)
        ]
        keys = (FOLDER.parents[2] / "docs" / "configuration.md").read_text()
        assert re.search(r"^\| `forward_auth\.grpc\.listen` .*:9092", keys, re.MULTILINE)
    if "open" in PLACES[name]:
        assert said(name, "open") == [False]


OURS = ("/oauth2/start", "/oauth2/callback", "/logout", "/logout/continue", "/logged-out")
THEIRS = ("/", "/oauth2x", "/logouts", "/logged-outs", "/reports")


@pytest.mark.parametrize("name", MANIFESTS)
def test_its_own_pages_are_the_gateways_and_nobody_outside_may_ask(name: str) -> None:
    """And everything else is asked about."""
    where = ROUTING[documents(name)[0].get("kind", "Istio")]
    assert {where(name, path) for path in OURS} == {"gateway"}
    assert {where(name, path) for path in THEIRS} == {"application"}
    assert {where(name, path) for path in ("/oauth2/auth", "/oauth2/auth/x")} == {"nobody"}


def _by_httproute(name: str, path: str) -> str:
    rules = [
        rule
        for document in documents(name)
        if document["kind"] == "HTTPRoute"
        for rule in document["spec"]["rules"]
    ]
    matched = [
        (len(match["path"]["value"]), index)
        for index, rule in enumerate(rules)
        for match in rule["matches"]
        if f"{path}/".startswith(match["path"]["value"].rstrip("/") + "/")
    ]
    rule = rules[max(matched)[1]]
    rewritten = [
        each["urlRewrite"]["path"]["replaceFullPath"]
        for each in rule.get("filters", [])
        if "urlRewrite" in each
    ]
    return _to(rule["backendRefs"][0]["name"], rewritten)


def _by_apisix(name: str, path: str) -> str:
    matched = [
        (route.get("priority", 0), index)
        for index, route in enumerate(documents(name)[0]["spec"]["http"])
        if any(
            path == each or (each.endswith("*") and path.startswith(each[:-1]))
            for each in route["match"]["paths"]
        )
    ]
    route = documents(name)[0]["spec"]["http"][max(matched)[1]]
    uris = [
        plugin["config"].get("uri", "")
        for plugin in route.get("plugins", [])
        if plugin["name"] == "proxy-rewrite"
    ]
    return _to(route["backends"][0]["serviceName"], [uri for uri in uris if uri])


def _by_httpproxy(name: str, path: str) -> str:
    for route in documents(name)[1]["spec"][
        "routes"
    ]:  # Contour takes exact ones first, then the longest prefix
        (condition,) = route["conditions"]
        if path == condition.get("exact") or path.startswith(condition.get("prefix", "\0")):
            if "directResponsePolicy" in route:
                return "nobody"
            service = str(route["services"][0]["name"])
            assert route.get("authPolicy", {}).get("disabled", False) == (service == "gateway")
            return service
    raise AssertionError(path)


def _by_istio(name: str, path: str) -> str:
    policy, service = documents(name)[1:]
    (operation,) = (to["operation"] for rule in policy["spec"]["rules"] for to in rule["to"])
    spared = any(_like(path, pattern) for pattern in operation["notPaths"])
    for route in service["spec"]["http"]:
        if "match" not in route or any(
            path == each["uri"].get("exact") or path.startswith(each["uri"].get("prefix", "\0"))
            for each in route["match"]
        ):
            if "directResponse" in route:
                return "nobody"
            host = route["route"][0]["destination"]["host"]
            assert spared == (host == "gateway"), (
                "what is not asked about goes to the gateway, and nothing else does"
            )
            return str(host)
    raise AssertionError(path)


def _like(path: str, pattern: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _to(service: str, rewritten: list[str]) -> str:
    """Who answers: a path of ours that is none is answered 404."""
    if not rewritten:
        return service
    assert service == "gateway"
    assert rewritten == ["/oauth2/nothing-here"]
    return "nobody"


ROUTING: Mapping[str, Callable[[str, str], str]] = {
    "HTTPRoute": _by_httproute, "ApisixRoute": _by_apisix, "ExtensionService": _by_httpproxy, "Istio": _by_istio,
}  # fmt: skip
