"""What a directory of files answers, by rules alone: which file, which encoding, which bytes, cached how.

The path is the one that was decided on: percent-decoded once, no dot segments, no empty ones. It is looked up under the
root as it is, with the route's prefix, just as it would go to an HTTP upstream.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from mimetypes import MimeTypes

INDEX = "index.html"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""Precompressed variants beside a file, best first."""
UNSATISFIABLE = (-1, -1)

_RANGE = re.compile(r"[ \t]*bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
"""More digits would name no byte of any file."""
_BUNDLES = frozenset({"assets", "static", "chunks", "immutable", "_app", "_next"})
"""Directories whose files bundlers name by content: Vite, webpack, Next.js, SvelteKit."""
_HASH = 8
"""Characters of the shortest content hash (Vite's and esbuild's default)."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".webp": "image/webp",
    ".avif": "image/avif",
}
_MIME = MimeTypes(filenames=())
"""Python's own table; the machine's files are not read, so that an answer does not depend on them."""


def segments(path: str) -> tuple[str, ...] | None:
    """The path's segments, or None when no file may be named so: hidden files, dot segments, separators of any system.

    ``.well-known`` (RFC 8615) is the one name with a dot in front that is served.
    """
    parts = tuple(part for part in path.split("/") if part)
    for part in parts:
        if (part.startswith(".") and part != ".well-known") or "\\" in part or "\0" in part:
            return None
    return parts


def content_type(name: str) -> str:
    """The media type by the file's name; ``application/octet-stream`` when unknown."""
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot >= 0 else ""
    return _TYPES.get(suffix) or _MIME.types_map[True].get(suffix, "application/octet-stream")


def is_hashed(parts: Sequence[str]) -> bool:
    """Whether the name holds a hash of the content, so that the file under it never changes."""
    if not _BUNDLES.intersection(parts[:-1]):
        return False
    stem = parts[-1].split(".")
    candidates = [piece for part in stem[:-1] for piece in (part, part.rpartition("-")[2], part[-_HASH:])]
    return any(_looks_hashed(piece) for piece in candidates)


def _looks_hashed(piece: str) -> bool:
    if len(piece) < _HASH or not piece.replace("_", "").replace("-", "").isalnum() or not piece.isascii():
        return False
    digits = sum(char.isdigit() for char in piece)
    mixed = any(char.isupper() for char in piece[1:]) and any(char.islower() for char in piece)
    return digits > 0 or mixed


def choose_encoding(accept_encoding: str, available: Collection[str]) -> str:
    """The best available content coding the client takes, or "" (RFC 9110 §12.5.3)."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.strip().partition(";")
        quality = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            weights[coding.strip()] = float(quality)
        except ValueError:
            continue
    wanted = [
        name for name, _ in ENCODINGS if name in available and weights.get(name, weights.get("*", 0.0)) > 0
    ]
    return max(wanted, key=lambda name: weights.get(name, weights.get("*", 0.0)), default="")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The request headers that decide how much of a file is sent; "" when absent."""

    if_none_match: str = ""
    if_modified_since: str = ""
    if_range: str = ""
    range: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file as it would be sent.

    :ivar modified: seconds. :ivar stamp: nanoseconds of the last change. :ivar encoding: "" or a content coding.
    """

    name: str
    size: int
    modified: int
    stamp: int
    encoding: str = ""

    @property
    def etag(self) -> str:
        coding = f"-{self.encoding}" if self.encoding else ""
        return f'"{self.stamp:x}-{self.size:x}{coding}"'


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Which bytes to send under which head."""

    status: int
    start: int
    length: int
    headers: tuple[tuple[bytes, bytes], ...]


def plan(file: FileFacts, conditions: Conditions, *, head_only: bool, hashed: bool, varies: bool) -> FilePlan:
    """How to answer for ``file``.

    :param hashed: its name changes with its content. :param varies: it exists in other encodings.
    """
    headers = [
        ("ETag", file.etag),
        ("Last-Modified", formatdate(file.modified, usegmt=True)),
        ("Cache-Control", "max-age=31536000, immutable" if hashed else "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if varies:
        headers.append(("Vary", "Accept-Encoding"))
    if _not_modified(file, conditions):
        return _plan(304, 0, 0, headers)
    headers += [("Content-Type", content_type(file.name)), ("Accept-Ranges", "bytes")]
    if file.encoding:
        headers.append(("Content-Encoding", file.encoding))
    wanted = (
        None if head_only or not _range_applies(file, conditions) else byte_range(conditions.range, file.size)
    )
    if wanted == UNSATISFIABLE:
        unsatisfied = [("Content-Range", f"bytes */{file.size}"), ("Content-Length", "0")]
        return _plan(416, 0, 0, [*headers[:1], *unsatisfied])
    if wanted is None:
        return _plan(200, 0, file.size, [*headers, ("Content-Length", str(file.size))])
    first, last = wanted
    headers += [
        ("Content-Range", f"bytes {first}-{last}/{file.size}"),
        ("Content-Length", str(last - first + 1)),
    ]
    return _plan(206, first, last - first + 1, headers)


def _plan(status: int, start: int, length: int, headers: Sequence[tuple[str, str]]) -> FilePlan:
    return FilePlan(status, start, length, tuple((name.encode(), value.encode()) for name, value in headers))


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a single range (RFC 9110 §14.1.2); None to send all, UNSATISFIABLE for 416.

    Several ranges at once are answered with all: they serve no browser and have served attackers (CVE-2011-3192).
    """
    found = _RANGE.fullmatch(header)
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, size - 1) if length else UNSATISFIABLE
    start = int(first)
    if last and int(last) < start:
        return None
    return (start, min(int(last), size - 1) if last else size - 1) if start < size else UNSATISFIABLE


def _range_applies(file: FileFacts, conditions: Conditions) -> bool:
    if not conditions.range:
        return False
    return not conditions.if_range or conditions.if_range in {
        file.etag,
        formatdate(file.modified, usegmt=True),
    }


def _not_modified(file: FileFacts, conditions: Conditions) -> bool:
    if conditions.if_none_match:
        tags = [tag.strip().removeprefix("W/") for tag in conditions.if_none_match.split(",")]
        return "*" in tags or file.etag in tags
    if not conditions.if_modified_since:
        return False
    try:
        return file.modified <= parsedate_to_datetime(conditions.if_modified_since).timestamp()
    except ValueError:
        return False
