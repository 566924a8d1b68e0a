"""A directory as an upstream: files off the event loop, never outside the root (``file:///srv/spa``)."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.core.errors import ConfigurationError
from gateway.core.http.static_files import (
    ENCODINGS,
    INDEX,
    Conditions,
    FileFacts,
    FilePlan,
    choose_encoding,
    is_hashed,
    plan,
    segments,
)
from gateway.proxy.sendfile import FileSender, off_loop

PIECE = 65_536
"""Bytes that go out with the head; most files are smaller."""
MORE = 4 * PIECE
"""Bytes read at a time beyond that: each time costs a thread's turn."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""The path is real by then: a link or a pipe put there meanwhile is refused."""


@dataclass(frozen=True, slots=True)
class FileQuestion:
    """What a request asks of a directory.

    :ivar path: percent-decoded once. :ivar target: the raw path, for redirects.
    :ivar document: the answer becomes a document, so a missing file is a place inside the application; to a script's
        ``fetch`` and to whatever a page loads it is missing.
    """

    path: str
    target: str
    document: bool
    head_only: bool
    accept_encoding: str
    conditions: Conditions


@dataclass(slots=True)
class FileAnswer:
    """A plan, its first bytes, and the descriptor for the rest (-1 when there is none). Close it."""

    plan: FilePlan
    first: bytes = b""
    descriptor: int = -1

    @property
    def left(self) -> int:
        """Bytes that :meth:`more` will give."""
        return self.plan.length - len(self.first) if self.descriptor >= 0 else 0

    async def more(self, sent: int) -> bytes:
        """The next piece; empty when the file has become shorter.

        :param sent: bytes of the answer so far.
        """
        size = min(MORE, self.plan.length - sent)
        return await off_loop(lambda: os.pread(self.descriptor, size, self.plan.start + sent))

    async def send(self, sender: FileSender, sent: int) -> int:
        """Let ``sender`` send the next part; how many bytes, 0 as in :meth:`FileSender.send`.

        :param sent: bytes of the answer so far. :raises OSError: as there.
        """
        return await sender.send(self.descriptor, self.plan.start + sent, self.plan.length - sent)

    def close(self) -> None:
        """Close the descriptor; doing this twice is no error."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class FileUpstream:
    """One directory.

    :param root: an absolute path. :param prefix: of the route; its ``index.html`` answers for the application's places.
    """

    def __init__(self, root: str, prefix: str = "/") -> None:
        self._root = os.path.realpath(root)
        self._prefix = segments(prefix) or ()

    async def answer(self, question: FileQuestion) -> FileAnswer:
        """What to send: 200, 206, 301, 304, 404 or 416."""
        return await off_loop(lambda: self._answer(question))

    def _answer(self, question: FileQuestion) -> FileAnswer:
        parts = segments(question.path)
        if parts is None:
            return _missing()
        slash = question.path.endswith("/")
        found = None if slash else self._open(parts, question)
        if found is None and self._is_directory(parts):
            if not slash and self._path((*parts, INDEX)) is not None:
                return _redirect(question.target)
            found = self._open((*parts, INDEX), question)
        if found is None and question.document:
            found = self._open((*self._prefix, INDEX), question)
        return found or _missing()

    def _open(self, parts: tuple[str, ...], question: FileQuestion) -> FileAnswer | None:
        path = self._path(parts)
        if path is None:
            return None
        variants = {
            coding: found for coding, suffix in ENCODINGS if (found := self._path(parts, suffix)) is not None
        }
        coding = choose_encoding(question.accept_encoding, variants)
        try:
            descriptor = os.open(variants.get(coding, path), _FLAGS)
        except OSError:
            return None
        try:
            return self._read(descriptor, parts, question, coding, varies=bool(variants))
        except BaseException:
            os.close(descriptor)
            raise

    @staticmethod
    def _read(
        descriptor: int, parts: tuple[str, ...], question: FileQuestion, coding: str, *, varies: bool
    ) -> FileAnswer:
        status = os.fstat(descriptor)
        facts = FileFacts(parts[-1], status.st_size, int(status.st_mtime), status.st_mtime_ns, coding)
        chosen = plan(
            facts, question.conditions, head_only=question.head_only, hashed=is_hashed(parts), varies=varies
        )
        size = 0 if question.head_only else min(PIECE, chosen.length)
        first = os.pread(descriptor, size, chosen.start) if size else b""
        answer = FileAnswer(chosen, first, descriptor)
        if question.head_only or len(first) == chosen.length:
            answer.close()
        return answer

    def _path(self, parts: tuple[str, ...], suffix: str = "") -> str | None:
        """The real path of a regular file under the root, or None; a link that leads out of the root is no file."""
        real = os.path.realpath(os.path.join(self._root, *parts) + suffix)  # noqa: PTH118 -- hot, and on strings
        if os.path.commonpath((self._root, real)) != self._root:
            return None
        try:
            return real if stat.S_ISREG(Path(real).stat().st_mode) else None
        except OSError:
            return None

    def _is_directory(self, parts: tuple[str, ...]) -> bool:
        try:
            return stat.S_ISDIR(Path(self._root, *parts).stat().st_mode)
        except OSError:  # also names that are too long for any file
            return False


def parse_directory(url: str) -> str:
    """The directory a ``file:`` URL names.

    :raises ConfigurationError: ``upstream_url`` when it names a host, or no absolute path.
    """
    parts = urlsplit(url)
    if (
        parts.scheme != "file"
        or parts.netloc
        or not parts.path.startswith("/")
        or parts.query
        or parts.fragment
    ):
        raise ConfigurationError(
            "upstream_url", f"{url!r} is not a directory.", fix="Use file:///absolute/path."
        )
    return unquote(parts.path)


def _missing() -> FileAnswer:
    body = b"Not found.\n"
    headers = ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"%d" % len(body)))
    return FileAnswer(FilePlan(404, 0, len(body), headers), body)


def _redirect(target: str) -> FileAnswer:
    path, mark, query = target.partition("?")
    headers = ((b"Location", f"{path}/{mark}{query}".encode()), (b"Content-Length", b"0"))
    return FileAnswer(FilePlan(301, 0, 0, headers))
