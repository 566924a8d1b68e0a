"""The files and directories that are named."""

from __future__ import annotations

import base64

import pytest

from gateway.core import dice
from gateway.core.session.key_file import format_key
from gateway.oidc.signout.signed_receipt import ReceiptKey
from gateway.settings.secret_files import MAX_SECRET
from tests.fakes.certificates import Authority


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the key in {} is empty"),
        ("changeme\n", "the key in {} is a placeholder: it contains `changeme`"),
        (base64.b64encode(bytes(32)).decode(), "the key in {} is not random"),
        (base64.b64encode(b"short").decode(), "the key in {} is 5 bytes long instead of 32"),
    ],
)
def test_r26_keys_that_nobody_drew_are_refused(found, house, text, what):
    """Each with its reason, and the command that makes a good one."""
    (house / "session-key").write_text(text)

    (line,) = [line for line in found() if line.startswith("session.key_files[0]")]

    assert what.format(house / "session-key") in line
    assert "gateway keys new" in line


def test_a_missing_key_file_names_the_command_that_makes_it(found, house):
    """The first thing a newcomer meets."""
    (house / "session-key").unlink()

    (line,) = [line for line in found() if line.startswith("session.key_files[0]")]
    assert f"{house / 'session-key'} does not exist; make it with `gateway keys new -o FILE`" in line


def test_a_key_in_place_of_a_file_name_is_not_repeated(found):
    """Somebody pasted the key itself: the finding says so without showing it."""
    key = "A" + format_key(dice.key()).replace("/", "_")[1:]

    (line,) = [line for line in found({"session.key_files": [key]}) if line.startswith("session.key_files")]

    assert "is a key itself" in line
    assert key not in line


def test_a_secret_in_place_of_a_file_name_is_not_repeated(found):
    """A pasted client secret has not the look of a file name."""
    secret = "1d4t8oqk3l5n6c7b8a9z0y1x2w3v4u5t6s7r8q9p0o1n2m3l4k5j"  # the look of Cognito's

    lines = found({"provider.client_secret_file": secret})

    assert any("provider.client_secret_file: the file it names, in " in line for line in lines)
    assert not any(secret in line for line in lines)


def test_a_secret_file_is_small(found, house):
    """A device or a log in its place is not read to the end."""
    (house / "client-secret").write_text("x" * (MAX_SECRET + 1))

    assert any("is longer than 64 KiB" in line for line in found())


def test_certificates_are_looked_at(found, house):
    """TLS and the provider's certificates: there, and PEM."""
    (house / "a.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    changes = {"tls": {"cert_file": "a.pem", "key_file": "a.pem"}, "provider.ca_file": "none.pem"}

    lines = found(changes)

    assert any(line.startswith("tls.key_file") and "holds no private key in PEM" in line for line in lines)
    assert any(line.startswith("provider.ca_file") and "none.pem does not exist" in line for line in lines)
    assert not any(line.startswith("tls.cert_file") for line in lines)


def test_an_upstream_s_certificates_are_looked_at(found, house):
    """There, in PEM, and beside an https URL: anywhere else they would verify nothing."""
    Authority.make(house, "ca")
    upstreams = [
        {"path": "/", "url": "https://app.internal", "ca_file": "ca.pem"},
        {"path": "/a/", "url": "https://app.internal", "ca_file": "none.pem"},
        {"path": "/b/", "url": "http://app.internal", "ca_file": "ca.pem"},
    ]

    lines = [line for line in found({"upstreams": upstreams}) if ".ca_file" in line]

    assert [line.partition(":")[0] for line in lines] == ["upstreams[1].ca_file", "upstreams[2].ca_file"]
    assert "none.pem does not exist" in lines[0]
    assert "is not reached with TLS, so nothing would be verified" in lines[1]


def test_the_certificates_of_a_whole_system_are_a_ca_file(found, house):
    """Debian's file of all authorities has 220 KB; comments in any script and encoding may stand between them."""
    pem = Authority.make(house).file.read_bytes()
    (house / "bundle.pem").write_bytes(
        b"".join(b"# T\xfcrktrust %d\n%s" % (number, pem) for number in range(400))
    )
    assert (house / "bundle.pem").stat().st_size > 220_000

    upstreams = [{"path": "/", "url": "https://app.internal", "ca_file": "bundle.pem"}]
    assert not [
        line
        for line in found({"upstreams": upstreams, "provider.ca_file": "bundle.pem"})
        if "ca_file" in line
    ]


@pytest.mark.parametrize(
    ("text", "what"), [("no PEM", "holds no certificate in PEM"), (None, "none.pem does not exist")]
)
def test_a_ca_file_without_certificates_is_said_with_the_reason(found, house, text, what):
    """By OpenSSL's own verdict, which is what counts when the provider is asked."""
    if text is not None:
        (house / "none.pem").write_text(text)
    assert any(
        line.startswith("provider.ca_file") and what in line
        for line in found({"provider.ca_file": "none.pem"})
    )


def test_a_certificate_and_the_key_of_another_are_found_before_the_start(found, house):
    """Each of them is sound, and nobody could be spoken to."""
    authority = Authority.make(house)
    for host in ("a.example", "b.example"):
        authority.server(host)
    pair = {"cert_file": "authority.a.example.pem", "key_file": "authority.b.example.pem"}

    (line,) = [line for line in found({"tls": pair}) if line.startswith("tls") and "warning" not in line]
    assert line.startswith("tls.key_file: ") and "cannot be used (KEY_VALUES_MISMATCH)" in line


def test_a_served_directory_exists(found, house):
    """file: upstreams, relative to the configuration file."""
    (house / "dist").mkdir()

    assert not [line for line in found({"upstreams": [{"path": "/", "url": "file:dist"}]}) if "dist" in line]
    lines = found({"upstreams": [{"path": "/", "url": "file:dust"}]})
    assert any(
        line.startswith(f"upstreams[0].url: {house / 'dust'} does not exist; create it") for line in lines
    )


def test_the_directory_of_the_log_exists(found, house):
    """The gateway writes there before its first answer."""
    lines = found({"state": f"sqlite://{house}/none/state.db"})

    assert any(line.startswith(f"state: {house / 'none'} does not exist; create it") for line in lines)


def test_policies_are_loaded(found, house):
    """A policy set that does not load is a finding of the check, each fault with its file and line."""
    (house / "policies").mkdir()
    assert any(
        line.startswith("policies: ") and "no *.cedar file" in line
        for line in found({"policies": "policies"})
    )

    (house / "policies" / "all.cedar").write_text("permit (principal, action, resource);\n")
    assert any(
        line.startswith("policies: ") and "all.cedar:1" in line for line in found({"policies": "policies"})
    )

    assert any(
        line.startswith("policies: ") and "builtin:spa" in line for line in found({"policies": "builtin:spy"})
    )


@pytest.mark.parametrize(("paths", "warned"), [("insensitive", True), ("exact", False)])
def test_a_policy_that_waits_for_a_capital_nobody_is_shown_is_said(found, house, paths, warned):
    """A forbid that never matches would let everybody pass."""
    (house / "policies").mkdir()
    text = '@id("closed") forbid (principal, action, resource) when { context.path like "/Admin*" };\n'
    (house / "policies" / "all.cedar").write_text(text)
    upstreams = [{"path": "/", "url": "http://127.0.0.1:1", "paths": paths}]
    said = [line for line in found({"policies": "policies", "upstreams": upstreams}) if "capital" in line]
    assert len(said) == warned
    assert all("policies: " in line and "all.cedar:1" in line and "below /" in line for line in said)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the key in {} is not a private key in PEM; make one with `gateway keys receipt -o FILE`"),
        (None, "{} does not exist"),
    ],
)
def test_a_receipt_key_that_cannot_sign_is_refused(found, house, text, what):
    """At the start, and not at the first sign-out."""
    file = house / "receipt.pem"
    if text is not None:
        file.write_text(text)

    (line,) = [line for line in found({"logout.receipt_key_file": str(file)}) if "receipt_key_file" in line]

    assert what.format(file) in line


def test_a_receipt_key_is_good_where_its_lines_are_written(found, house):
    """With a log level above info there are none."""
    file = house / "receipt.pem"
    file.touch(mode=0o600)
    file.write_text(ReceiptKey.new().pem)
    signing = {"logout.receipt_key_file": str(file)}

    assert not [line for line in found(signing) if "receipt" in line]
    (line,) = [line for line in found({**signing, "log.level": "error"}) if "receipt" in line]
    assert "log.level: warning: leaves out the lines of the audit trail" in line


def test_an_assertion_needs_a_key_that_can_sign(found, house):
    """At the start; and behind a proxy that asks, applications get none."""
    file = house / "assertion.pem"
    lines = found({"headers.assertion": True})
    assert any(line.startswith("headers.assertion: is true, and there is no key") for line in lines)
    signing = {"headers.assertion": True, "headers.assertion_key_files": [str(file)]}
    assert any("does not exist" in line for line in found(signing) if "assertion_key_files[0]" in line)
    file.touch(mode=0o600)
    file.write_text("nonsense")
    assert any("is not a private key in PEM" in line for line in found(signing))
    file.write_text(ReceiptKey.new().pem)
    assert not [line for line in found(signing) if "assertion" in line]
    behind = {**signing, "forward_auth": {}, "trusted_proxies": ["10.0.0.7"]}
    assert any("headers.assertion: warning: goes only to" in line for line in found(behind))
