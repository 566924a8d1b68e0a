"""The directory upstream below HTTP; its answers over the wire are tested in tests/web/forward/test_static.py."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.http.static_files import Conditions
from gateway.proxy.files import PIECE, FileQuestion, FileUpstream, parse_directory


def question(path, **facts):
    defaults = {
        "target": path,
        "document": False,
        "head_only": False,
        "accept_encoding": "",
        "conditions": Conditions(),
    }
    return FileQuestion(path, **(defaults | facts))


def descriptors():
    gc.collect()  # what other tests have left is not let go of in between
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_small_files_keep_no_descriptor(tmp_path):
    """They are read at once; large ones give the rest piece by piece."""
    (tmp_path / "small").write_bytes(b"x" * 10)
    (tmp_path / "large").write_bytes(b"y" * (PIECE * 2 + 5))
    files = FileUpstream(str(tmp_path))
    await files.answer(question("/small"))
    before = descriptors()

    small, large = await files.answer(question("/small")), await files.answer(question("/large"))
    body = large.first
    while len(body) < large.plan.length:
        body += await large.more(len(body))
    large.close()
    large.close()

    assert (small.left, small.first) == (0, b"x" * 10)
    assert body == b"y" * (PIECE * 2 + 5)
    assert descriptors() == before


async def test_a_link_that_changes_its_target_is_looked_at_anew(tmp_path):
    """What was inside the root and is outside now is not served."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_bytes(b"inside")
    (tmp_path / "b").write_bytes(b"outside")
    link = root / "link"
    files = FileUpstream(str(root))

    link.symlink_to(root / "a")
    inside = await files.answer(question("/link", conditions=Conditions()))
    link.unlink()
    link.symlink_to(tmp_path / "b")
    outside = await files.answer(question("/link"))

    assert inside.first == b"inside"
    assert outside.plan.status == 404


async def test_a_sibling_with_the_same_beginning_is_outside(tmp_path):
    """/srv/spa-old is not under /srv/spa."""
    (tmp_path / "spa").mkdir()
    (tmp_path / "spa-old").mkdir()
    (tmp_path / "spa-old/x").write_bytes(b"outside")
    (tmp_path / "spa/link").symlink_to(tmp_path / "spa-old/x")

    assert (await FileUpstream(str(tmp_path / "spa")).answer(question("/link"))).plan.status == 404


async def test_a_missing_root_is_not_found(tmp_path):
    """A volume that is not mounted yet is no crash."""
    assert (await FileUpstream(str(tmp_path / "gone")).answer(question("/"))).plan.status == 404


async def test_a_file_nobody_may_read_is_not_found(tmp_path, monkeypatch):
    """No word of why."""
    (tmp_path / "x").write_bytes(b"x")

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)

    assert (await FileUpstream(str(tmp_path)).answer(question("/x.js"))).plan.status == 404
    assert (await FileUpstream(str(tmp_path)).answer(question("/x"))).plan.status == 404


def test_directories_by_url():
    """Absolute, local, decoded."""
    assert parse_directory("file:///srv/my%20spa") == "/srv/my spa"
    for url in ("file://host/x", "file:x", "http://x", "file:///x?y"):
        with pytest.raises(ConfigurationError, match="upstream_url"):
            parse_directory(url)
