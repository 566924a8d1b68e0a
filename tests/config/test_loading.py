"""From a file and the environment to settings, or to every finding at once."""

from __future__ import annotations

import stat

import pytest

from gateway.config import ConfigurationErrors, Severity, examine, load
from gateway.settings.names import ConfiguredHop


def test_a_sound_configuration_is_settings(examined, house):
    """Attribute names are the keys; durations are seconds, sizes bytes, paths absolute; defaults fill the rest."""
    settings = examined().settings

    assert settings is not None
    assert settings.public_url == "https://app.example.com"
    assert str(settings.listen) == "0.0.0.0:8080"
    assert settings.session.idle == 1800.0
    assert settings.limits.header == 32768
    assert settings.session.key_files == (house / "session-key",)
    assert settings.state.path == house / "state.db"
    assert settings.logout.chain == (
        ConfiguredHop("cognito"),
        ConfiguredHop("okta_signout", "https://example.okta.com"),
    )
    assert settings.forward_auth is None
    assert settings.tls.enabled is False


def test_a_secret_comes_from_its_file_without_the_line_end(examined):
    """The secret is there for those who ask for it by name."""
    secret = examined().settings.provider.client_secret

    assert secret.text == "hush-hush"


def test_secrets_show_nowhere(examined):
    """Neither the settings nor any finding repeats a secret."""
    for changes in (
        {},
        {"provider.client_secret": "hush-hush"},
        {"provider.client_secret": "hush-hush", "provider.client_secret_file": None, "provider.kind": "x"},
        {"provider.client_secret": {"a": "hush-hush"}, "provider.client_secret_file": None},
        {"provider.client_secret": "hush-hush\u0007", "provider.client_secret_file": None},
        {"provider.client_secret_file": "hush-hush=="},
        {"admin.token": ["hush-hush"]},
        {"issuer": "hush-hush"},
    ):
        examination = examined(changes)

        assert "hush-hush" not in repr(examination)
        assert "hush-hush" not in str(examination.settings)


def test_all_findings_come_together_in_order(examined):
    """One run says everything: a bad value does not hide the keys around it, nor the rules across keys."""
    examination = examined(
        {
            "listn": "0.0.0.0:80",
            "provider.issuer": "nonsense",
            "provider.scopes": ["email"],
            "session.idle": "13h",
            "session.claims": "department",
            "timeouts": {"connect": "5", "reed": "5s"},
        },
        GATEWAY_LIMITS__BODY="1MB",
        GATEWAY_HOST="x",
    )

    assert [finding.key or finding.place.env for finding in examination.findings if finding.failing] == [
        "provider.issuer",
        "provider.scopes",
        "session.idle",
        "session.claims",
        "listn",
        "timeouts.connect",
        "timeouts.reed",
        "GATEWAY_HOST",
        "limits.body",
    ]
    assert examination.settings is None


def test_a_finding_reads_file_line_column_key_what_fix(house):
    """`FILE:LINE:COL key: what; fix`, or `env NAME: what; fix`."""
    file = house / "g.yaml"
    file.write_text("public_url: https://app.example.com\nsession:\n  idle: 30\n")

    with pytest.raises(ConfigurationErrors) as caught:
        load(file, {"GATEWAY_LISTEN": "8080"})

    fix = "write a whole number and one unit of ms, s, m, h, d, such as 30m"
    assert f"{file}:3:3 session.idle: `30` is not a duration; {fix}" in str(caught.value)
    fix = "write an IP address and a port, such as 0.0.0.0:8080"
    assert f"env GATEWAY_LISTEN: `8080` is not an address to listen on; {fix}" in str(caught.value)


def test_required_keys_are_asked_for_with_their_meaning(house):
    """A file with one key is told every key it cannot do without."""
    file = house / "g.yaml"
    file.write_text("listen: 0.0.0.0:8080\n")

    with pytest.raises(ConfigurationErrors) as caught:
        load(file, {})

    missing = {finding.key for finding in caught.value.findings if finding.what == "is missing"}
    assert missing == {
        "public_url",
        "upstreams",
        "provider.kind",
        "provider.issuer",
        "provider.client_id",
        "session.key_files",
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "{}\n"])
def test_an_empty_file_is_one_finding(house, text):
    """What is missing from it is everything, which need not be listed."""
    (house / "g.yaml").write_text(text)

    (finding,) = examine(house / "g.yaml", {}).findings

    begin = "begin with the configuration at the top of docs/configuration.md"
    assert str(finding) == f"{house}/g.yaml:1:1: is empty; {begin}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("public_url: [\n", "has a bracket that is not closed"),
        ("public_url: x\n listen: y\n", "begins further right"),
        ("public_url: \x07\n", "holds a character that YAML forbids"),
        ("- public_url\n", "is not a list of keys and values"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_finding(house, text, what):
    """Nobody is told to add keys that may stand in the file, whatever the environment adds to it."""
    (house / "g.yaml").write_text(text)

    for environ in ({}, {"GATEWAY_LISTEN": "0.0.0.0:80"}):
        examination = examine(house / "g.yaml", environ)
        (finding,) = examination.findings

        assert what in finding.what
        assert examination.settings is None


def test_the_environment_fills_an_empty_file(house):
    """With a key from there the configuration is not empty, and what is still missing is said."""
    (house / "g.yaml").write_text("")

    findings = examine(house / "g.yaml", {"GATEWAY_PUBLIC_URL": "https://app.example.com"}).findings

    missing = {finding.key for finding in findings if finding.what == "is missing"}
    assert "upstreams" in missing
    assert "public_url" not in missing


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("sesion", "did you mean `session`?"),
        ("session.idel", "did you mean `session.idle`?"),
        ("idle", "did you mean `upstreams[].idle` or `session.idle` or `timeouts.idle`?"),
        ("client_id", "did you mean `provider.client_id`?"),
        ("log.colour", "remove it; the keys here are level, access"),
    ],
)
def test_an_unknown_key_is_told_what_was_meant(found, key, fix):
    """By the section it belongs to, or by its spelling."""
    assert f"{key}: is not a key; {fix}" in found({key: "x"})


def test_keys_that_are_not_indented_are_told_so(house):
    """A section without anything below it, and its keys beside it, are the mistake of one who knows no YAML."""
    text = "public_url: https://a.example.com\nsession:\nkey_files: [session-key]\nidle: 10m\n"
    (house / "gateway.yaml").write_text(text)
    found = {one.key: one for one in examine(house / "gateway.yaml", {}).findings}
    for key, line in (("key_files", 3), ("idle", 4)):
        assert (found[key].fix, found[key].place.line) == (
            "indent it, for `session` has nothing below it",
            line,
        )


@pytest.mark.parametrize(
    ("written", "key", "line"),
    [
        ("session: {key_files: [session-key], absolute: 10m}", "session.idle", "absolute"),
        ("listen: 0.0.0.0:9090", "admin.listen", "listen"),
        ("limits:\n  header: 4KiB", "limits.cookies", "header"),
        ("logout:\n  barrier: 10s", "logout.hop_deadline", "barrier"),
    ],
)
def test_a_finding_is_where_something_is_written(house, written, key, line):
    """Of two keys that do not go together, one of which has its default, the other is the one to look at."""
    text = "public_url: https://app.example.com\nprefix: /oauth2\n"
    (house / "gateway.yaml").write_text(f"{text}{written}\n")
    found = {one.key: one for one in examine(house / "gateway.yaml", {}).findings}
    at = found[key].place
    assert line in (house / "gateway.yaml").read_text().splitlines()[at.line - 1]


def test_a_finding_about_a_secret_is_where_its_file_is_named(house):
    """And by that key's name, for the other one is not there."""
    (house / "client-secret").write_text("demo-secret\n")
    provider = "kind: okta, issuer: https://a.okta.com, client_id: x, client_secret_file: client-secret"
    text = f"public_url: https://app.example.com\nprovider:\n  {{{provider}}}\n"
    (house / "gateway.yaml").write_text(text)
    (finding,) = [one for one in examine(house / "gateway.yaml", {}).findings if "is the demo's" in one.what]
    assert (finding.key, finding.place.line) == ("provider.client_secret_file", 3)


def test_an_unknown_blank_key_is_a_finding_too(found):
    """Blank is absent for keys that exist only."""
    assert any(line.startswith("log.colour: is not a key") for line in found({"log": {"colour": None}}))


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"provider": "cognito"}, "provider: is not a section; write its keys, such as `kind: …`"),
        ({"upstreams": "http://a"}, "upstreams: is not a list; write a list, such as [a, b]"),
        ({"upstreams": ["http://a"]}, "upstreams[0]: is not a section; write its keys, such as `path: …`"),
        ({"logout.targets": ["a"]}, "logout.targets: is not a mapping; write `name: value` pairs"),
        (
            {"log.level": "loud"},
            "log.level: is none of its choices; choose `debug`, `info`, `warning` or `error`",
        ),
        ({"forward_auth": {"login": "403"}}, "forward_auth.login: is none of its choices; choose 401 or 302"),
        ({"hosts": ["a", "b c"]}, "hosts[1]: `b c` is not a host name"),
        ({"logout.targets": {"shop": "x"}}, "logout.targets.shop: `x` is not an http or https URL"),
        ({"upstreams": [{"url": "http://a"}]}, "upstreams[0].path: is missing"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_in_plain_words(found, changes, finding):
    """The finding points at the very item."""
    assert any(line.startswith(finding) for line in found(changes))


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path):
    """Missing, a directory, or not text."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, what in [
        (tmp_path / "none.yaml", "does not exist"),
        (tmp_path, "is not a file"),
        (binary, "is not text"),
    ]:
        with pytest.raises(ConfigurationErrors, match=what):
            load(path, {})


def test_both_a_secret_and_its_file_is_one_finding(examined):
    """Nobody guesses which of the two counts, wherever they are written."""
    by_file = examined({"provider.client_secret": "x"})
    by_environment = examined(None, GATEWAY_PROVIDER__CLIENT_SECRET="x")

    for examination in (by_file, by_environment):
        (finding,) = [finding for finding in examination.findings if finding.failing]
        assert finding.key == "provider.client_secret_file"
        assert finding.what == "`client_secret` and `client_secret_file` are both set"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("a\nb\n", "has more than one line"),
        ("a\x00b", "control characters"),
    ],
)
def test_an_unusable_secret_file_is_named_with_its_fault(found, house, text, what):
    """Empty and muddled secret files are findings."""
    (house / "client-secret").write_text(text)

    assert any(line.startswith("provider.client_secret_file") and what in line for line in found())


def test_a_secret_that_everybody_can_read_is_a_warning(examined, house):
    """It does not fail: some volumes cannot do better."""
    for name in ("client-secret", "session-key"):
        (house / name).chmod(0o644)

    examination = examined()

    assert examination.settings is not None
    warned = {finding.key for finding in examination.findings if finding.severity is Severity.WARNING}
    assert {"provider.client_secret_file", "session.key_files[0]"} <= warned
    assert stat.S_IMODE((house / "session-key").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("kind", "issuer", "chain"),
    [
        (
            "cognito",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf",
            (ConfiguredHop("cognito"),),
        ),
        (
            "okta",
            "https://org.okta.com/oauth2/default",
            (ConfiguredHop("okta_signout", "https://org.okta.com"),),
        ),
        ("oidc", "https://id.example.com", (ConfiguredHop("oidc"),)),
        ("keycloak", "https://id.example.com/realms/demo", (ConfiguredHop("keycloak"),)),
        ("entra", "https://login.microsoftonline.com/tenant/v2.0", (ConfiguredHop("entra"),)),
        ("auth0", "https://tenant.auth0.com/", (ConfiguredHop("auth0"),)),
        ("google", "https://accounts.google.com", (ConfiguredHop("google"),)),
    ],
)
def test_the_provider_implies_a_chain_where_none_is_written(examined, kind, issuer, chain):
    """The provider's own way out; at Okta the one that needs no registration but the trusted origin."""
    changes = {"logout": None, "provider.kind": kind, "provider.issuer": issuer}
    if kind != "cognito":
        changes["provider.domain"] = None

    assert examined(changes).settings.logout.chain == chain
