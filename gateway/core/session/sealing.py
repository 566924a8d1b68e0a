"""Sealing: AES-256-GCM under a ring of keys (design section 4, rule R26).

A sealed box is ``key id (4) | nonce (12) | ciphertext and tag``. The key id is the start of the key's SHA-256, so
that every key on the ring can open and an unknown key is told from a forged box. The associated data binds a box to
its purpose and to this deployment: staging's cookie is nothing in production. The plain text is deflated JSON; no
attacker-chosen text is mixed in per request, so its length gives nothing away that matters.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core import dice
from gateway.core.session.key_file import parse_key

FORMAT = b"gateway-1"
MAX_INFLATED = 64 * 1024
"""Bytes. A session that needs more cannot have fitted the cookie budget; beyond it is a decompression bomb."""
PROMOTE_AFTER = 300
"""Seconds a newly seen key only opens, so that every replica knows it before one seals with it (rule R26)."""
_NONCE = 12
_KEY_ID = 4


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One 256-bit key and its public name."""

    key_id: bytes
    cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, raw: bytes) -> SealingKey:
        return cls(hashlib.sha256(raw).digest()[:_KEY_ID], AESGCM(raw))

    @classmethod
    def parse(cls, text: str) -> SealingKey:
        """The key in a key file's text.

        :raises ValueError: short, malformed, or a placeholder; the message says which.
        """
        return cls.of(parse_key(text))


class Failure(Enum):
    """Why a box did not open."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a box held.

    :ivar outdated: sealed under a key that no longer seals; worth sealing anew.
    """

    plain: Mapping[str, Any]
    outdated: bool


@dataclass(frozen=True, slots=True)
class Deployment:
    """What binds a box to this deployment (rule R26)."""

    public_url: str
    issuer: str
    client_id: str


def associated_data(purpose: str, cookie: str, deployment: Deployment) -> bytes:
    """Length-prefixed, so that no two lists of parts read the same."""
    parts = [
        FORMAT,
        *(
            part.encode()
            for part in (purpose, cookie, deployment.public_url, deployment.issuer, deployment.client_id)
        ),
    ]
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


class KeyRing:
    """The keys in the order of their files: the first that is old enough seals, all open.

    :param keys: at least one.
    :param now: seconds; when these keys were first seen by this process.
    """

    def __init__(self, keys: Sequence[SealingKey], *, now: int) -> None:
        self._keys: tuple[SealingKey, ...] = ()
        self._by_id: dict[bytes, SealingKey] = {}
        self._first_seen: dict[bytes, int] = {}
        self.version = 0
        self.replace(keys, now=now)

    def replace(self, keys: Sequence[SealingKey], *, now: int) -> None:
        """Take the keys now in the files; what was sealed under a key no longer there is no session any more."""
        if not keys:
            raise ValueError("a key ring needs at least one key")
        seen = self._first_seen
        self._keys = tuple(keys)
        self._by_id = {key.key_id: key for key in keys}
        self._first_seen = {key.key_id: seen.get(key.key_id, now) for key in keys}
        self.version += 1

    def sealing_key(self, now: int) -> SealingKey:
        """The first key seen long enough ago, else the last one listed: the one every replica has."""
        for key in self._keys:
            if now - self._first_seen[key.key_id] >= PROMOTE_AFTER:
                return key
        return self._keys[-1]

    def seal(self, plain: Mapping[str, Any], associated: bytes, *, now: int) -> bytes:
        """Deflate and encrypt ``plain`` (JSON types only)."""
        key = self.sealing_key(now)
        nonce = dice.nonce96()
        return key.key_id + nonce + key.cipher.encrypt(nonce, deflated(plain), associated)

    def open(self, box: bytes, associated: bytes, *, now: int) -> Opened | Failure:
        """What ``box`` holds, or why it does not open; never raises on any input."""
        if len(box) < _KEY_ID + _NONCE + 16:
            return Failure.MALFORMED
        key = self._by_id.get(box[:_KEY_ID])
        if key is None:
            return Failure.UNKNOWN_KEY
        nonce = box[_KEY_ID : _KEY_ID + _NONCE]
        try:
            text = key.cipher.decrypt(nonce, box[_KEY_ID + _NONCE :], associated)
        except InvalidTag:
            return Failure.FORGED
        plain = inflated(text, MAX_INFLATED)
        if plain is None:
            return Failure.MALFORMED
        return Opened(plain, outdated=self._listed_after(key, self.sealing_key(now)))

    def _listed_after(self, key: SealingKey, sealing: SealingKey) -> bool:
        # A replica that has just started seals with an older key for a while. What others sealed with a newer one is
        # not outdated by that, or the two would seal each other's cookies anew on every request.
        return self._keys.index(self._by_id[key.key_id]) > self._keys.index(self._by_id[sealing.key_id])


def deflated(plain: Mapping[str, Any]) -> bytes:
    """``plain`` (JSON types only), ready to be encrypted."""
    return zlib.compress(json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode(), 6)


def inflated(text: bytes, limit: int) -> Mapping[str, Any] | None:
    """What was deflated; None when it is something else, or takes more than ``limit`` bytes."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(text, limit)
        if not inflater.eof:
            return None
        plain = json.loads(raw)
    except (zlib.error, ValueError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None
