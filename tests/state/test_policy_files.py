"""Policy sets on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.policy.faults import PolicyFaultsError
from gateway.state import policy_files

GOOD = '@id("good") permit (principal is User, action, resource);\n'


def faults(source: str, base: Path) -> list[str]:
    with pytest.raises(PolicyFaultsError) as caught:
        policy_files.load(source, base)
    return caught.value.detail.splitlines()


def test_the_shipped_policy_sets_load_by_name(tmp_path: Path) -> None:
    """Wherever the configuration is, builtin names mean the gateway's own."""
    assert policy_files.builtin_names() == ["groups", "spa"]
    for name in policy_files.builtin_names():
        policies = policy_files.load(f"builtin:{name}", tmp_path).policies
        assert all(policy.place.startswith(f"builtin:{name}/") for policy in policies)


@pytest.mark.parametrize("name", ["", "SPA", "nope", "../policies/spa", "spa/"])
def test_an_unknown_name_is_answered_with_those_there_are(name: str, tmp_path: Path) -> None:
    """A name is one of the shipped, and never a way to another directory."""
    assert faults(f"builtin:{name}", tmp_path) == [
        f"builtin:{name}: there is no such policy set; there are builtin:groups, builtin:spa"
    ]


def test_a_directory_counts_from_the_configuration_file(tmp_path: Path) -> None:
    """A relative one from ``base``; an absolute one is itself. All its files are one set."""
    directory = tmp_path / "own"
    directory.mkdir()
    (directory / "b.cedar").write_text(GOOD.replace("good", "b"))
    (directory / "a.cedar").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    (directory / "notes.txt").write_text("not a policy")
    places = [policy.place for policy in policy_files.load("own", tmp_path).policies]
    assert places == ["own/a.cedar:1", "own/b.cedar:1"]
    absolute = policy_files.load(f"{directory}/", Path("/"))
    assert absolute.version == policy_files.load("own", tmp_path).version
    assert absolute.policies[0].place == f"{directory}/a.cedar:1"


def test_a_missing_or_empty_directory_says_what_to_do(tmp_path: Path) -> None:
    """No directory, a file instead of one, and a directory without policies."""
    (tmp_path / "file.cedar").write_text(GOOD)
    (tmp_path / "empty").mkdir()
    known = "name a directory that holds *.cedar files, or one of builtin:groups, builtin:spa"
    assert faults("nope", tmp_path) == [f"nope: there is no such directory; {known}"]
    assert faults("file.cedar", tmp_path) == [f"file.cedar: this is a file; {known}"]
    (fault,) = faults("empty", tmp_path)
    assert fault == (
        "empty: there is no *.cedar file in it, so every request would be denied; "
        "put your policies there, or name another directory"
    )


def test_policies_further_down_are_a_fault_and_not_forgotten(tmp_path: Path) -> None:
    """A forbid in a subdirectory would be missed by nobody; what Kubernetes hides is left alone."""
    (tmp_path / "a.cedar").write_text(GOOD)
    (tmp_path / "..2026_01_01").mkdir()
    (tmp_path / "..2026_01_01" / "a.cedar").write_text(GOOD)
    assert len(policy_files.load(".", tmp_path).policies) == 1
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.cedar").write_text(GOOD)
    assert faults(".", tmp_path) == [
        "./more/b.cedar: policies in subdirectories are not read; move it up, or name the subdirectory"
    ]


def test_a_directory_with_too_much_below_is_none_of_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`policies: /` would walk through the whole disk; it ends, and says so."""
    monkeypatch.setattr(policy_files, "MOST_BELOW", 10)
    (tmp_path / "a.cedar").write_text(GOOD)
    for number in range(10):
        (tmp_path / "deep" / f"d{number}").mkdir(parents=True)
    (fault,) = faults(".", tmp_path)
    assert fault.startswith(".: more than 10 files and directories are below it")
    monkeypatch.setattr(policy_files, "MOST_BELOW", 11)
    assert len(policy_files.load(".", tmp_path).policies) == 1


def test_the_root_of_the_disk_is_refused_after_so_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    looked, walk = [], os.walk

    def counted(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for each in walk(top):
            looked.append(each)
            yield each

    monkeypatch.setattr(os, "walk", counted)
    assert any(fault.startswith("/: more than 5000 files") for fault in faults("/", Path("/")))
    assert sum(1 + len(files) for _, _, files in looked[:-1]) <= policy_files.MOST_BELOW


def test_a_mounted_config_map_loads(tmp_path: Path) -> None:
    """Its files are links through a hidden directory."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.cedar").write_text(GOOD)
    (tmp_path / "a.cedar").symlink_to("..data/a.cedar")
    assert len(policy_files.load(".", tmp_path).policies) == 1


def test_a_copy_of_the_schema_must_be_the_gateways(tmp_path: Path) -> None:
    """Editors like to have one; one that says something else would promise what nobody keeps."""
    schema = (policy_files.shipped() / "schema.cedarschema").read_text(encoding="utf-8")
    (tmp_path / "a.cedar").write_text(GOOD)
    (tmp_path / "my.cedarschema").write_text(schema)
    assert policy_files.load(".", tmp_path).policies
    (tmp_path / "my.cedarschema").write_text(schema + "entity Robot;")
    (fault,) = faults(".", tmp_path)
    assert fault.startswith("./my.cedarschema: this differs from the schema that the gateway decides by; ")


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    """Bytes that are not UTF-8, and a dangling link."""
    (tmp_path / "a.cedar").write_bytes(b"// caf\xe9\n")
    assert faults(".", tmp_path) == ["./a.cedar: byte 6 is not UTF-8; save the file as UTF-8"]
    (tmp_path / "a.cedar").unlink()
    (tmp_path / "a.cedar").symlink_to("nowhere")
    assert faults(".", tmp_path) == [
        "./a.cedar: it cannot be read (No such file or directory); let the gateway's user read it"
    ]


def test_policies_without_cases_say_so(tmp_path: Path) -> None:
    """Nothing to test is not a success."""
    (tmp_path / "a.cedar").write_text(GOOD)
    with pytest.raises(PolicyFaultsError, match=r"\./cases\.yaml: there are no cases"):
        policy_files.read_cases(".", tmp_path)
