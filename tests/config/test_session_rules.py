"""What keys say about each other: provider, session, the way out."""

from __future__ import annotations

import pytest

from gateway.config import Severity

ISSUERS = {
    "okta": "https://example.okta.com", "keycloak": "https://sso.example.com/realms/x", "auth0": "https://example.eu.auth0.com/",
}  # fmt: skip
OKTA = {"provider.kind": "okta", "provider.issuer": ISSUERS["okta"], "provider.domain": None}
LOCAL = {
    "public_url": "http://app.localhost:8080",
    "provider.issuer": "http://cognito-idp.localhost:8081/eu-west-1_demo",
    "provider.domain": "http://cognito.localhost:8081",
    "provider.client_secret": "demo-secret",
    "provider.client_secret_file": None,
    "logout.chain": ["cognito", {"okta_signout": "http://okta.localhost:8082"}],
    "logout.targets": {"shop": "http://shop.localhost/"},
}


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"provider.domain": None}, "provider.domain", "is missing, and Cognito's sign-out needs it"),
        ({"provider.kind": "okta"}, "provider.domain", "means nothing for kind okta"),
        (
            {"provider.kind": "oidc", "provider.identity_provider": "Okta"},
            "provider.identity_provider",
            "kind oidc",
        ),
        (
            {"provider.issuer": "https://example.auth.eu-west-1.amazoncognito.com"},
            "provider.issuer",
            "which issues no tokens",
        ),
        ({"provider.scopes": ["email"]}, "provider.scopes", "lacks `openid`"),
        ({"session.key_files": []}, "session.key_files", "is empty"),
        ({"session.key_files": ["session-key", "session-key"]}, "session.key_files[1]", "is listed twice"),
        ({"session.idle": "13h"}, "session.idle", "longer than session.absolute"),
        ({"session.idle": "90s", "session.activity": "input"}, "session.idle", "reported once a minute"),
        ({"logout.hop_deadline": "3m"}, "logout.hop_deadline", "longer than logout.barrier"),
        ({"logout.chain": ["cognito", "cognito"]}, "logout.chain[1]", "is in the chain twice"),
        (
            {"provider.kind": "oidc", "provider.domain": None},
            "logout.chain[0]",
            "the provider's kind is oidc",
        ),
        ({"logout.chain": ["cognito", "oidc"]}, "logout.chain[1]", "is no way out of Cognito"),
        ({"logout.chain": ["cognito", "keycloak"]}, "logout.chain[1]", "is Keycloak's sign-out"),
        (
            {"provider.kind": "google", "provider.domain": None, "logout.chain": ["oidc"]},
            "logout.chain[0]",
            "is no way out of Google",
        ),
        ({"logout.chain": [{"url": "http://x.example.com"}]}, "logout.chain[0]", "is not https"),
        ({"logout.targets": {"shop": "http://shop.example.com"}}, "logout.targets.shop", "is not https"),
        ({"logout.chain": [{"okta_signout": "http://x.okta.com"}]}, "logout.chain[0]", "is not https"),
    ],
)
def test_contradictions_are_findings(examined, changes, key, what):
    """Each keeps the gateway from starting, with its place and a fix."""
    examination = examined(changes)

    assert any(
        finding.failing and finding.key == key and what in finding.what for finding in examination.findings
    )
    assert examination.settings is None


@pytest.mark.parametrize(
    ("written", "claim", "shape", "noted"),
    [
        (None, "cognito:groups", "", False),
        ("cognito:groups", "cognito:groups", "", False),
        ("custom:groups", "custom:groups", "", True),
        ({"claim": "custom:groups"}, "custom:groups", "", True),
        ({"claim": "custom:groups", "shape": "brackets"}, "custom:groups", "brackets", False),
        ('{"claim": "custom:groups", "shape": "json"}', "custom:groups", "json", False),
        ({"claim": "groups", "shape": "list"}, "groups", "list", False),
    ],
)
def test_the_shape_of_groups_is_guessed_with_a_note_alone(examined, written, claim, shape, noted):
    """The plain form stays; a variable has the other as JSON; Cognito's own claim is a list and needs no word."""
    examination = examined({"headers.groups": written})
    groups = examination.settings.headers.groups
    assert (groups.claim, groups.shape) == (claim, shape)
    notes = [each for each in examination.findings if each.key == "headers.groups"]
    assert [(each.severity, "its shape is guessed" in each.what) for each in notes] == [
        (Severity.NOTE, True)
    ] * noted


@pytest.mark.parametrize(
    "written",
    [
        {"shape": "json"},
        {"claim": "groups", "shape": "xml"},
        {"claim": "groups", "form": "json"},
        {"claim": ""},
        ["groups"],
        "",
    ],
)
def test_a_shape_that_is_none_is_refused(examined, written):
    """With those that there are."""
    findings = [
        each for each in examined({"headers.groups": written or {"claim": " "}}).findings if each.failing
    ]
    assert [each.key for each in findings] == ["headers.groups"]


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"logout": None}, "logout.chain", "a provider behind Cognito stays signed in"),
        ({"logout.chain": []}, "logout.chain", "ends the gateway's session only"),
        (
            {"logout.chain": [{"okta_signout": "https://x.okta.com"}]},
            "logout.chain",
            "Cognito's session stays alive",
        ),
        (
            {"logout.chain": ["cognito", {"url": "https://x.example.com/out"}]},
            "logout.chain[1]",
            "does not say where to return to, which is https://app.example.com/logout/done/url",
        ),
        (
            {**OKTA, "logout": None},
            "headers.groups",
            "which only Cognito sends",
        ),
    ],
)
def test_what_would_surprise_is_a_warning(examined, changes, key, what):
    """It is said, and the gateway starts."""
    examination = examined(changes)

    assert any(
        finding.severity is Severity.WARNING and finding.key == key and what in finding.what
        for finding in examination.findings
    )
    assert examination.settings is not None


def test_r23_tokens_of_the_application_need_the_storage_cleared(examined):
    """The check demands it, because the next user would begin with them; with it all is well."""
    (finding,) = [
        finding
        for finding in examined({"browser": {"spa_has_own_tokens": "true"}}).findings
        if finding.failing
    ]

    assert finding.key == "browser.spa_has_own_tokens"
    assert "the next user would begin with them" in finding.what
    both = {"browser": {"spa_has_own_tokens": "true", "clear_storage": "true"}}
    assert examined(both).settings is not None


@pytest.mark.parametrize("kind", ["oidc", "keycloak", "entra", "auth0"])
def test_what_an_implied_chain_needs_is_said(examined, kind):
    """Nobody wrote the hop, so nobody may have registered its return address; written, it is taken at its word."""
    changes = {"provider.kind": kind, "provider.domain": None, "logout": None}

    (said,) = [finding for finding in examined(changes).findings if finding.key == "logout.chain"]

    assert said.severity is Severity.NOTE
    assert f"must know https://app.example.com/logout/done/{kind}" in said.what
    written = changes | {"logout": {"chain": [kind]}}
    assert not [finding for finding in examined(written).findings if finding.key.startswith("logout")]


@pytest.mark.parametrize(("kind", "issuer"), ISSUERS.items())
def test_a_provider_behind_another_can_be_named(examined, kind, issuer):
    """Where that kind has a parameter for it, as Cognito has."""
    changes = {
        "provider.kind": kind,
        "provider.issuer": issuer,
        "provider.domain": None,
        "provider.identity_provider": "corporate",
        "logout": None,
    }

    assert examined(changes).settings.provider.identity_provider == "corporate"


def test_google_is_said_to_sign_nobody_out(examined):
    """A note: nothing can be done about it, and it has to be known where computers are shared."""
    changes = {"provider.kind": "google", "provider.domain": None, "logout": None}

    (said,) = [finding for finding in examined(changes).findings if finding.key == "logout.chain"]

    assert (said.severity, "Google signs nobody out" in said.what) == (Severity.NOTE, True)


def test_a_written_chain_is_taken_at_its_word(found):
    """[cognito] alone is right where nothing is behind Cognito; whoever writes it is not nagged."""
    assert not [line for line in found({"logout.chain": ["cognito"]}) if line.startswith("logout")]


@pytest.mark.parametrize("key", ["provider.issuer", "provider.domain"])
def test_r29_http_providers_are_for_localhost_only(found, key):
    """Over plain http anybody on the way could sign in as anybody."""
    lines = found({key: "http://cognito.localhost:8081"})

    assert any(line.startswith(f"{key}: is not https") for line in lines)


@pytest.mark.parametrize("written", ["in the file", "in a file of its own", "in the environment"])
def test_r29_the_demos_secret_is_refused_in_production(examined, house, written):
    """Wherever it stands; the finding does not repeat it."""
    elsewhere = written != "in a file of its own"
    changes: dict[str, str | None] = {"provider.client_secret_file": None} if elsewhere else {}
    environ = {"GATEWAY_PROVIDER__CLIENT_SECRET": "demo-secret"} if written == "in the environment" else {}
    if written == "in the file":
        changes["provider.client_secret"] = "demo-secret"
    (house / "client-secret").write_text("demo-secret\n")

    (finding,) = [finding for finding in examined(changes, **environ).findings if finding.failing]

    assert finding.what == "is the demo's, which is published, so others can act as this client"


def test_r29_the_demo_itself_is_welcome_on_localhost(examined):
    """http, the published secret and all, as long as public_url is on localhost."""
    assert examined(LOCAL).settings is not None


@pytest.mark.parametrize("key", ["provider.issuer", "provider.domain", "logout.chain", "logout.targets"])
def test_r29_nothing_of_the_demo_is_welcome_elsewhere(examined, key):
    """Each http address on its own is a finding once public_url is a real one."""
    changes = {name: value for name, value in LOCAL.items() if name == key}

    assert any(finding.failing and finding.key.startswith(key) for finding in examined(changes).findings)


def test_tickets_need_a_redis(examined):
    """A file of one host keeps no sessions; with a Redis it is said what that means."""
    (finding,) = [one for one in examined({"session.store": "ticket"}).findings if one.failing]
    assert (finding.key, "is a file of this host" in finding.what) == ("session.store", True)
    assert "write a redis:// URL in `state`" in finding.fix

    sound = examined({"session.store": "ticket", "state": "rediss://redis.example.com/0"})
    assert sound.settings is not None
    (note,) = [one for one in sound.findings if one.key == "session.store"]
    assert "while it does not answer" in note.what


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        (
            {"session.cookie_suffix": "blue"},
            "session.cookie_suffix",
            "the session's cookie is __Host-session--blue",
        ),
        (
            {"session.cookie_suffix": "-blue"},
            "session.cookie_suffix",
            "the session's cookie is __Host-session--blue",
        ),
        ({"public_url": "https://app.example.com:8443"}, "public_url", "another gateway on app.example.com"),
    ],
)
def test_what_deployments_on_one_host_name_share_is_said(examined, changes, key, what):
    """Cookies know no ports; with a suffix it is said what that changes."""
    examination = examined(changes)
    assert examination.settings is not None
    (note,) = [one for one in examination.findings if one.key == key and what in one.what]
    assert "suffix" in note.fix


@pytest.mark.parametrize("suffix", ["Blue", "a b", "a;b", "a=b", "a_b", "\u00fc", "a" * 17, "-", "__"])
def test_a_suffix_that_fits_into_no_cookies_name_is_refused(examined, suffix):
    """It would end the name, or be another name than it looks."""
    (finding,) = [one for one in examined({"session.cookie_suffix": suffix}).findings if one.failing]
    assert (finding.key, "does not fit into the name of a cookie" in finding.what) == (
        "session.cookie_suffix",
        True,
    )


def test_a_port_is_no_matter_where_cookies_have_a_suffix(examined):
    """Nor is the usual one."""
    for changes in ({"public_url": "https://app.example.com:443"}, {}):
        assert not [one for one in examined(changes).findings if "know no ports" in one.what]
    changes = {"public_url": "https://app.example.com:8443", "session.cookie_suffix": "b"}
    assert not [one for one in examined(changes).findings if "know no ports" in one.what]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"provider.client_secret_file": None, "provider.other_client_secret": "x"},
            "is there without a first one",
        ),
        ({"provider.other_client_secret": "hush-hush"}, "warning: is the first one once more"),
        (
            {"provider.client_secret_file": None, "provider.client_authentication": "client_secret_post"},
            "is about the client's secret, and there is none",
        ),
        (
            {
                "provider.other_client_secret": "another",
                "provider.client_authentication": "client_secret_post",
            },
            "",
        ),
    ],
)
def test_two_secrets_are_two_and_what_is_about_them_has_one(found, changes, said):
    """What could never be used is said."""
    lines = [line for line in found(changes) if line.startswith("provider.")]
    assert [said in line for line in lines] == [True] * bool(said)
