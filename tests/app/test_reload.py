"""Files that are followed: what is taken in, what is kept when they cannot be used."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from gateway.app import reload
from gateway.app.reload import Watched
from gateway.core import dice
from gateway.core.errors import ConfigurationError
from gateway.core.policy.policy_set import PolicySet
from gateway.core.session.sealing import SealingKey
from tests.fakes.certificates import Authority

OPEN = '@id("everybody")\npermit (principal is User, action, resource);\n'
NARROW = '@id("admins")\npermit (principal in Group::"admins", action, resource);\n'


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def key() -> str:
    return base64.b64encode(dice.key()).decode() + "\n"


def counted(
    directory: Path, *texts: str
) -> tuple[Watched[tuple[str, ...], list[SealingKey]], list[list[SealingKey]], list[Path]]:
    files = [directory / f"key-{number}" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    taken: list[Any] = []
    watched = reload.sealing_keys(files)
    watched.first()
    watched.follow(taken.append)
    return watched, taken, files


async def test_r26_nothing_is_taken_in_while_nothing_changes(tmp_path: Path) -> None:
    """A file that is only touched is not another key."""
    watched, taken, files = counted(tmp_path, key())
    files[0].touch()
    await watched.look()
    assert (taken, watched.health()) == ([], "ok")


async def test_r26_changed_content_is_taken_in_once(
    tmp_path: Path, logged: list[MutableMapping[str, Any]]
) -> None:
    """Even when size and time stay the same."""
    watched, taken, files = counted(tmp_path, key(), key())
    files[0].write_text(fresh := key())
    await watched.look()
    await watched.look()
    (keys,) = taken
    assert [each.key_id for each in keys] == [
        SealingKey.parse(text).key_id for text in (fresh, files[1].read_text())
    ]
    assert [line["event"] for line in logged] == ["reloaded"]


async def test_r26_a_mounted_secret_is_followed_when_its_directory_is_swapped(tmp_path: Path) -> None:
    """As Kubernetes does it: the file is a link through a link that is renamed over the old one."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "key").write_text(key())
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "key").symlink_to("..data/key")
    taken: list[Any] = []
    watched = reload.sealing_keys([tmp_path / "key"])
    watched.first()
    watched.follow(taken.append)
    (tmp_path / "..new").symlink_to("v2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    await watched.look()
    assert [each.key_id for each in taken[0]] == [
        SealingKey.parse((tmp_path / "v2" / "key").read_text()).key_id
    ]


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe\x00", base64.b64encode(b"0" * 32), None])
async def test_r26_p19_what_is_no_key_changes_nothing(
    tmp_path: Path, content: bytes | None, logged: list[MutableMapping[str, Any]]
) -> None:
    """The old ring stays; one error names the file and the fix, and never the content; the fixed file ends it."""
    watched, taken, files = counted(tmp_path, key())
    good = files[0].read_text()
    if content is None:
        files[0].unlink()
    else:
        files[0].write_bytes(content)
    for _ in range(3):
        await watched.look()
    assert taken == []
    assert "key-0" in watched.health()
    assert "; " in watched.health()
    (line,) = logged
    assert (line["log_level"], line["event"], line["what"]) == ("error", "not_reloaded", "keys")
    if content and len(content) > 4:
        assert content.strip().decode("latin-1") not in json.dumps(line)
    files[0].write_text(good)
    await watched.look()
    assert (taken, watched.health()) == ([], "ok")


async def test_a_good_policy_replaces_the_set(tmp_path: Path) -> None:
    """A file that is added counts as a change."""
    (tmp_path / "a.cedar").write_text(OPEN)
    taken: list[Any] = []
    watched = reload.policies(str(tmp_path))
    before = watched.first()
    watched.follow(taken.append)
    (tmp_path / "b.cedar").write_text(NARROW)
    await watched.look()
    (after,) = taken
    assert isinstance(after, PolicySet)
    assert after.version != before.version
    assert {policy.id for policy in after.policies} == {"everybody", "admins"}


@pytest.mark.parametrize("text", ["permit (principal, action, resource);", "nonsense", OPEN + OPEN])
async def test_a_bad_policy_keeps_the_old_set(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with it; file and line are told (design section 9)."""
    (tmp_path / "a.cedar").write_text(OPEN)
    taken: list[Any] = []
    watched = reload.policies(str(tmp_path))
    watched.first()
    watched.follow(taken.append)
    (tmp_path / "a.cedar").write_text(text)
    await watched.look()
    assert taken == []
    assert "a.cedar:" in watched.health()


@pytest.mark.parametrize("insensitive", [[], ["/app/", "/old/"]])
async def test_a_reload_says_what_check_says_of_capitals(
    tmp_path: Path, insensitive: list[str], logged: list[MutableMapping[str, Any]]
) -> None:
    """A forbid that waits for one where policies see none would let everybody pass; at the start too."""
    file = tmp_path / "a.cedar"
    file.write_text(OPEN)
    watched = reload.policies(str(tmp_path), insensitive)
    watched.first()
    watched.follow(lambda _: None)
    file.write_text(
        f'{OPEN}@id("closed") forbid (principal, action, resource) when {{ context.path like "/Admin*" }};'
    )
    await watched.look()
    reload.policies(str(tmp_path), insensitive).first()
    said = [line for line in logged if line["event"] == "policy_never_applies"]
    assert len(said) == (2 if insensitive else 0)
    for line in said:
        assert (line["log_level"], line["place"]) == ("warning", f"{tmp_path}/a.cedar:3")
        assert "`/Admin*` has a capital" in line["why"]
        assert line["why"].endswith("below /app/ and /old/")


async def test_policies_that_vanish_keep_the_old_set(tmp_path: Path) -> None:
    """An empty directory would deny everything, a missing one is a mistake."""
    directory = tmp_path / "policies"
    directory.mkdir()
    (directory / "a.cedar").write_text(OPEN)
    taken: list[Any] = []
    watched = reload.policies(str(directory))
    watched.first()
    watched.follow(taken.append)
    (directory / "a.cedar").unlink()
    await watched.look()
    directory.rmdir()
    await watched.look()
    assert taken == []
    assert "no such directory" in watched.health()


async def test_the_policies_that_come_with_the_gateway_are_not_read_again() -> None:
    """They change with an upgrade only."""
    taken: list[Any] = []
    watched = reload.policies("builtin:spa")
    watched.first()
    watched.follow(taken.append)
    await watched.look()
    assert taken == []


def test_what_cannot_be_used_at_the_start_is_an_error(tmp_path: Path) -> None:
    """There is nothing older to keep."""
    with pytest.raises(ConfigurationError):
        reload.sealing_keys([tmp_path / "key"]).first()


async def test_a_certificate_is_taken_in_when_its_key_is_there_too(
    tmp_path: Path, logged: list[MutableMapping[str, Any]]
) -> None:
    """Between the writing of one file and the other they do not fit: the former ones stay, and it is said why."""
    authority, files = Authority.make(tmp_path), (tmp_path / "cert.pem", tmp_path / "key.pem")

    def renewed() -> tuple[str, str]:
        authority.server("app.test")
        both = authority.file.with_suffix(".app.test.pem").read_text()
        begin = both.index("-----BEGIN PRIVATE KEY")
        return both[:begin], both[begin:]

    for file, text in zip(files, renewed(), strict=True):
        file.write_text(text)
    settings: Any = SimpleNamespace(tls=SimpleNamespace(cert_file=files[0], key_file=files[1]))
    taken: list[Any] = []
    watched = reload.certificate(settings)
    assert watched is not None
    watched.first()
    watched.follow(taken.append)
    certificate, key = renewed()
    files[0].write_text(certificate)
    await watched.look()
    assert taken == []
    assert "cannot be used" in watched.health()
    files[1].write_text(key)
    await watched.look()
    assert (len(taken), watched.health()) == (1, "ok")
    assert [line["event"] for line in logged] == ["not_reloaded", "reloaded"]
    absent: Any = SimpleNamespace(tls=SimpleNamespace(cert_file=None, key_file=None))
    assert reload.certificate(absent) is None
