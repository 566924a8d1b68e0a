"""``gateway check`` and ``gateway serve`` agree: what the one finds good, the other wires.

Each key that takes a value is written once for each of many values, fit and unfit, of its own kind and of others: what a
key takes is not known here. A check that only the wiring makes fails here, whatever the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app.options import state_place
from gateway.app.tls import tls_context
from gateway.app.wiring import Gateway
from gateway.config.fields import Key, Reading, keys
from gateway.config.findings import Places
from gateway.settings.model import Settings
from gateway.state.redis.place import RedisPlace
from tests.config.conftest import Examine
from tests.fakes.certificates import Authority

NONSENSE = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"
FILES = ("session-key", "empty", "nonsense.pem", "bundle.pem", "cert.pem", "other.pem", "key.pem", "none")
URLS = (
    "http://idp.internal", "http://127.0.0.1:9", "https://idp.internal/?", "https://[::1]/x", "https://Ex-ample.COM:443",
    "https://a_b.example/", "file:dist", "file:a#b %20?", "unix:a#b", "sqlite:///nowhere/x.db",
)  # fmt: skip
WORDS = (
    "{x}", "ü", "a b", "X-Department", "storage", "true", "7", "2m", "1KiB", "builtin:groups", "/x/", "/a b", "127.0.0.1",
    "10.0.0.0/8", "fe80::1%eth0", "0.0.0.0:0", "input", "drop", "ticket", "user",
)  # fmt: skip
ANY = 2
"""Values for a key that takes any text: it cannot tell them apart."""


@pytest.fixture
def files(house: Path) -> Path:
    """What an operator may name: right and wrong files of each kind."""
    authority = Authority.make(house)
    for host, name in (("app.example.com", "own"), ("elsewhere.example", "other")):
        authority.server(host)
        (house / f"authority.{host}.pem").rename(house / f"{name}.pem")
    both = (house / "own.pem").read_text()
    begin = both.index("-----BEGIN PRIVATE KEY")
    (house / "cert.pem").write_text(both[:begin])
    (house / "key.pem").write_text(both[begin:])
    (house / "empty").touch()
    (house / "nonsense.pem").write_text(NONSENSE)
    (house / "bundle.pem").write_text(f"# {'Authority · ' * 9}\n{authority.file.read_text()}" * 400)
    for name in ("dist", "a#b %20?"):
        (house / name).mkdir()
    return house


def written(key: Key, value: str) -> Iterator[Any]:
    """``value`` as it could stand at ``key``: alone, in a list, in a mapping."""
    yield value
    if key.is_structured:
        yield [value]
        yield from ({value: "x"}, {"x": value}, {"x.example": value})


def placed(key: Key, value: Any) -> dict[str, Any]:
    """The change that writes it; a list of sections has one, with what it needs beside."""
    if "[]" in key.path:
        upstream = {
            "path": "/",
            "url": "https://app.internal" if key.path[-1] == "ca_file" else "http://127.0.0.1:9",
        }
        return {"upstreams": [{**upstream, key.path[-1]: value}]}
    beside = {
        "tls.cert_file": {"tls.key_file": "key.pem"},
        "tls.key_file": {"tls.cert_file": "cert.pem"},
        "redis.cert_file": {"redis.key_file": "key.pem"},
        "redis.key_file": {"redis.cert_file": "cert.pem"},
    }.get(key.dotted, {})
    if key.path[0] == "redis":
        beside |= {"state": "rediss://redis.internal"}
    section = {
        "okta_event_hook": {"secret": "a-secret-of-many-characters"},
        "forward_auth": {"caller": "nginx"},
    }
    signals = {"issuer": "https://a.example", "audience": "a", "jwks_uri": "https://a.example/k"}
    section |= {"security_events": signals, "universal_logout": {**signals, "subject": "a"}}
    section["universal_logout"].pop("audience")
    if len(key.path) > 1 and key.path[-2] in section:
        return {".".join(key.path[:-1]): {**section[key.path[-2]], key.path[-1]: value}}
    return {key.dotted: value, **beside}


def wired(settings: Settings) -> None:
    """All that ``gateway serve`` makes of settings before it asks anybody."""
    tls_context(settings)
    Gateway(settings).admin()
    place = state_place(settings)
    if isinstance(place, RedisPlace):
        place.tls_context()


def passing(key: Key, base: Path) -> list[Any]:
    """Of all values those that the key's own parser takes, for it is what comes after that can disagree."""
    found = []
    for value in (each for text in (*FILES, *URLS, *WORDS) for each in written(key, text)):
        reading = Reading(Places("here"), base)
        reading._parsed(key.type, value, ("x",))
        found += [] if reading.findings else [value]
    if key.path[-1].endswith(("file", "files", "spool")):
        return [each for each in found if str(each).strip("['{]") in FILES]
    return found[-ANY:] if any("{x}" in str(each) for each in found) else found


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.dotted)
async def test_what_check_finds_good_is_wired(examined: Examine, files: Path, key: Key) -> None:
    """For each key and value: settings that nothing is found wrong with make a gateway, on a machine for trials too."""
    for value in passing(key, files):
        settings = examined({"public_url": "https://app.localhost", **placed(key, value)}).settings
        if settings is None:
            continue
        try:
            wired(settings)
        except Exception as refused:
            raise AssertionError(f"{key.dotted}: {value!r} is good, and then: {refused!r}") from refused


def test_the_values_reach_what_they_are_for(files: Path) -> None:
    """Files, addresses and words of both sorts get past the parsers."""
    tried = {key.dotted: list(passing(key, files)) for key in keys()}
    assert {"nonsense.pem", "bundle.pem", "none"} <= set(tried["provider.ca_file"])
    assert {"http://idp.internal", "https://[::1]/x"} <= set(tried["provider.issuer"])
    assert "file:a#b %20?" in tried["upstreams[].url"]
