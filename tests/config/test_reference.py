"""What is documented cannot drift: the design's listing, the model, the reference file and the table are compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gateway.config import examine
from gateway.config.fields import keys
from gateway.config.findings import Severity
from gateway.config.reference import default_words, renewed, table
from gateway.core import dice
from gateway.core.session.key_file import format_key
from tests.fakes.pieces import put

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "deploy" / "gateway.yaml"
DOCUMENT = ROOT / "docs" / "configuration.md"
LISTING = Path(__file__).parent / "reference_listing.yaml"

NOT_IN_THE_LISTING = {
    "upstreams[].ca_file": "beside provider.ca_file, for upstreams",
    "upstreams[].encoded_slashes": "design section 3",
    "upstreams[].method_override": "rule R32",
    "headers.assertion": "an application that wants proof",
    "headers.assertion_key_files": "what signs it",
    "headers.reserved": "headers that an application believes, beside those of the usual proxies",
    "headers.underscores": "names that some servers read as others",
    "upstreams[].strip_prefix": "an upstream whose own paths begin behind its route's",
    "upstreams[].host": "an upstream that answers to its own name alone",
    "upstreams[].paths": "servers that read other spellings of a path as the same",
    "upstreams[].sign_out_on": "an application's own sign-out, whose Clear-Site-Data does not take our cookies",
    "provider.client_secret": "every secret has a _file twin",
    "provider.other_client_secret": "two secrets while one is replaced by the other",
    "provider.other_client_secret_file": "every secret has a _file twin",
    "provider.client_authentication": "providers whose metadata does not say what the client is registered for",
    "provider.proxy": "networks that let nothing out but through a proxy",
    "provider.no_proxy": "beside provider.proxy",
    "provider.auth_time_proves": "rule R1",
    "provider.trusted_email_from": "rule R19",
    "provider.linked_subjects": "rule R19",
    "provider.linked_providers": "rule R19",
    "session.cookie_suffix": "several deployments on one host name",
    "state_loss": "rule R4",
    "state_spool": "rule R5, the room of the durable outbox",
    "redis.password": "every secret has a _file twin",
    "redis.password_file": "every secret has a _file twin",
    "redis.ca_file": "beside provider.ca_file, for Redis",
    "redis.cert_file": "Redis asks clients for certificates by default when it speaks TLS",
    "redis.key_file": "the other half of redis.cert_file",
    "redis.prefix": "several deployments in one Redis",
    "redis.spool": "rule R5, the durable outbox",
    "logout.cross_site": "rule R23",
    "browser.unregister_workers": "rule R14",
    "inbound.universal_logout.certificate_file": "named in the listing's comment",
    "inbound.security_events.events": "facts B.7: which of them end sessions is the operator's to say",
    "inbound.security_events.secret": "every secret has a _file twin",
    "inbound.security_events.secret_file": "RFC 8935 §2: the transmitter may have to prove itself",
    "inbound.security_events.poll_endpoint": "RFC 8936",
    "inbound.security_events.token": "every secret has a _file twin",
    "inbound.security_events.token_file": "RFC 8936, and the transmitter's own API",
    "inbound.okta_event_hook.issuer": "rule R19: whose user ids they are",
    "inbound.okta_event_hook.secret": "every secret has a _file twin",
    "limits.connections": "a worker that may take less than the system allows",
    "client_ip_header": "load balancers that write another header than X-Forwarded-For",
    "upstreams[].body": "an upload has its own size",
    "upstreams[].connections": "a small application takes few",
    "upstreams[].connect": "an upstream far away",
    "upstreams[].first_byte": "a report takes minutes",
    "upstreams[].idle": "a long answer pauses",
    "upstreams[].stream": "one application's streams",
    "upstreams[].client_body": "an upload pauses",
    "upstreams[].keep_alive": "an upstream that closes sooner than others",
    "timeouts.stream": "event streams and WebSockets that say nothing",
    "timeouts.upstream_keep_alive": "upstreams that close sooner than 5 s",
    "timeouts.client_keep_alive": "load balancers that keep connections longer than 75 s",
    "proxy_protocol": "load balancers of TCP, which cannot write into requests",
    "timeouts.client_handshake": "connections that never speak",
    "timeouts.client_head": "slow heads",
    "timeouts.client_body": "uploads that pause",
    "timeouts.client_send": "clients that take slowly",
    "timeouts.drain_accept": "rule R12",
    "timeouts.drain": "rule R12",
    "limits.body_rate": "uploads over slow lines",
    "limits.upstream_connections": "open files, and what an upstream bears",
    "limits.upstream_queue": "bursts",
    "admin.token": "every secret has a _file twin",
    "forward_auth.from": "rule R7: who asks, among all who are trusted",
    "forward_auth.secret": "every secret has a _file twin",
    "forward_auth.secret_file": "networks that others share",
    "forward_auth.grpc.listen": "Envoy's other protocol",
    "forward_auth.grpc.cert_file": "the same, over a network",
    "forward_auth.grpc.key_file": "the other half of it",
    "forward_auth.grpc.client_ca_file": "who may ask, by certificate",
    "forward_auth.renews_cookies": "Traefik can hand the cookies of a pass on",
    "forward_auth.callers": "several proxies at once",
    "forward_auth.callers[].caller": "several proxies at once",
    "forward_auth.callers[].from": "several proxies at once",
    "forward_auth.callers[].login": "several proxies at once",
    "forward_auth.callers[].hosts": "several proxies at once",
    "forward_auth.callers[].secret": "every secret has a _file twin",
    "forward_auth.callers[].secret_file": "networks that others share",
    "forward_auth.callers[].renews_cookies": "Traefik can hand the cookies of a pass on",
}
EXAMPLES = {
    "forward_auth.caller",
    "forward_auth.login",
    "public_url",
    "upstreams",
    "upstreams[].path",
    "upstreams[].url",
    "provider.kind",
    "provider.issuer",
    "provider.domain",
    "provider.client_id",
    "provider.client_secret_file",
    "provider.identity_provider",
    "session.key_files",
    "logout.chain",
}
"""Keys for which the reference file shows an example; everywhere else it shows the default."""


def written(value: object, above: str = "") -> dict[str, object]:
    """Every key that a YAML document writes, with its value."""
    found: dict[str, object] = {}
    known = {key.dotted for key in keys()}
    for name, below in value.items() if isinstance(value, dict) else ():
        dotted = f"{above}.{name}" if above else name
        if dotted in known:
            found[dotted] = below
        elif isinstance(below, dict):
            found |= written(below, dotted)
        else:
            found[dotted] = below
        if isinstance(below, list) and any(key.startswith(f"{dotted}[]") for key in known):
            for item in below:
                found |= {key: each for key, each in written(item, f"{dotted}[]").items() if key not in found}
    return found


def uncommented(text: str) -> str:
    """The reference file with its ``#key`` lines in force."""
    return re.sub(r"^(\s*)#(?=[a-z]|- [a-z])", r"\1", text, flags=re.MULTILINE)


def test_the_design_s_listing_and_the_model_have_the_same_keys():
    """In both directions; what the listing leaves out is listed here with where it is named instead."""
    listed = written(yaml.safe_load(LISTING.read_text(encoding="utf-8")))
    modelled = {key.dotted for key in keys()}

    assert len(listed) > 50
    assert set(listed) | set(NOT_IN_THE_LISTING) == modelled
    assert not set(listed) & set(NOT_IN_THE_LISTING)


def test_the_listing_s_values_are_the_defaults():
    """Wherever the listing shows no example."""
    listed = yaml.load(LISTING.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    for dotted, value in written(listed).items():
        key = next(key for key in keys() if key.dotted == dotted)
        if dotted not in EXAMPLES and not dotted.startswith("inbound."):
            assert value in (_text(key.default), ""), dotted


def test_the_reference_file_and_the_model_have_the_same_keys():
    """In both directions, with the commented-out keys in force."""
    document = written(yaml.safe_load(uncommented(REFERENCE.read_text(encoding="utf-8"))))

    assert len(document) > 50
    assert {key.dotted for key in keys()} == set(document)


def test_the_reference_file_shows_defaults():
    """Wherever it shows no example."""
    document = yaml.load(REFERENCE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    for dotted, value in written(document).items():
        key = next(key for key in keys() if key.dotted == dotted)
        if dotted not in EXAMPLES:
            assert _text(key.default) == value, dotted


def test_every_key_of_the_reference_file_has_its_comment():
    """The line above a key is a comment that holds the model's own sentence about it."""
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    for key in keys():
        above = f"# {key.description}"
        beside = [
            number
            for number, line in enumerate(lines)
            if re.match(rf"\s*(#?- )?#?{key.path[-1]}:", line) and lines[number - 1].strip().startswith(above)
        ]

        assert beside, key.dotted


def test_the_reference_file_is_sound(tmp_path):
    """With its files in place nothing in it fails: it can be copied and started from."""
    pieces = {"/run/secrets/": "", "///var/lib/gateway": f"//{tmp_path}"}
    text = put(REFERENCE.read_text(encoding="utf-8"), pieces)
    (tmp_path / "gateway.yaml").write_text(text)
    for name, line in {"session-key": format_key(dice.key()), "cognito-client-secret": "hush"}.items():
        (tmp_path / name).write_text(line)
        (tmp_path / name).chmod(0o600)

    examination = examine(tmp_path / "gateway.yaml", {})

    assert {finding.severity for finding in examination.findings} == {Severity.NOTE}
    assert examination.settings is not None


def test_the_design_s_listing_reads_without_an_unknown_key(tmp_path):
    """All that is found in it are missing files, features to come, what Cognito never sends, and forward-auth's
    conditions.
    """
    (tmp_path / "gateway.yaml").write_text(LISTING.read_text(encoding="utf-8"))

    for finding in examine(tmp_path / "gateway.yaml", {}).findings:
        expected = (
            "does not exist",
            "not yet available",
            "signed out after session.idle",
            "no proxy is trusted",
            "keeps a session alive",
            "so nothing will ever come",
            "only e-mail addresses find sessions",
            "addresses of federated users",
            "nobody can be signed in at",
            "neither `tls` here, nor a proxy",
        )
        assert any(words in finding.what for words in expected), str(finding)


def test_the_table_of_keys_is_the_model_s():
    """Renew it with `python -m gateway.config.reference docs/configuration.md`."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert table().count("\n") == len(keys()) + 2
    assert text == renewed(text)


def test_a_document_without_markers_is_refused():
    """A check that finds no input must fail."""
    with pytest.raises(ValueError, match="lacks"):
        renewed("# Configuration\n")


def test_the_document_s_first_configuration_is_sound(tmp_path):
    """The YAML a newcomer copies is one that starts."""
    (first,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "gateway.yaml").write_text(
        first.replace("/run/secrets/", "") + f"state: sqlite://{tmp_path}/state.db\n"
    )
    (tmp_path / "session-key").write_text(format_key(dice.key()))
    (tmp_path / "cognito-client-secret").write_text("hush")

    assert examine(tmp_path / "gateway.yaml", {}).settings is not None


def test_the_document_s_findings_are_real(tmp_path, monkeypatch):
    """The findings shown in the documentation are what `gateway check` says."""
    shown = re.search(
        r"\$ gateway check -c gateway.yaml\n(gateway.yaml:.*?)\n```", DOCUMENT.read_text(), flags=re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    Path("gateway.yaml").write_text(
        "public_url: https://app.example.com\nupstreams:\n  - {path: /, url: 127.0.0.1:3000}\n"
        "provider:\n  kind: cognito\n"
        "  issuer: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf\n"
        "  domain: https://example.auth.eu-west-1.amazoncognito.com\n  client_id: x\n  client_secrt_file: secret\n"
        f"session: {{key_files: [session-key]}}\nstate: sqlite://{tmp_path}/state.db\n"
    )
    Path("session-key").write_text(format_key(dice.key()))
    Path("session-key").chmod(0o600)

    findings = examine(Path("gateway.yaml"), {"GATEWAY_LISTN": "x"}).findings

    assert shown is not None
    assert shown[1].splitlines()[:-1] == [str(finding) for finding in findings if finding.failing]


def test_defaults_are_written_as_one_would_write_them():
    """Required, none, text, lists and switches."""
    words = {key.dotted: default_words(key) for key in keys()}

    assert words["public_url"] == "required"
    assert words["tls.cert_file"] == "none"
    assert words["session.idle"] == "`30m`"
    assert words["hosts"] == "`[]`"
    assert words["log.access"] == "`true`"


def _text(default: object) -> object:
    """A default as a YAML loader that knows only text reads it."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return default if isinstance(default, list | dict) else str(default)
