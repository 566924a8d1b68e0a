"""Keys whose feature is not in this version: refused, never ignored.

Whoever asks for a feature believes that it is there. A gateway that started all the same would be a lie, so it does
not start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway.config.findings import KeyPath
from gateway.config.yaml_tree import Value


@dataclass(frozen=True, slots=True)
class NotYet:
    """One key that is known and refused.

    :ivar asks: whether a value asks for the feature; its absence or "off" does not.
    :ivar feature: reads on before "is not yet available in this version".
    :ivar values: the values that ask for it, as the documentation writes them; empty for any.
    """

    key: str
    asks: Callable[[Value], bool]
    feature: str
    fix: str = "remove the key"
    values: str = ""

    @property
    def remark(self) -> str:
        """What the documentation adds to the key."""
        return f"Not yet available: {self.values}." if self.values else "Not yet available."


def _choice(key: str, *choices: str, feature: str, fix: str) -> NotYet:
    named = ", ".join(f"`{choice}`" for choice in choices)
    return NotYet(key, lambda value: value in choices, feature, fix, named)


NOT_YET = (
    _choice(
        "forward_auth.caller",
        *("traefik", "caddy", "envoy", "haproxy"),
        feature="answering for this proxy",
        fix="write `nginx`, or let the gateway forward the requests itself",
    ),
)


def remark_on(key: str) -> str:
    """What the documentation adds to ``key``: that it, something around it, or some of its values is refused."""
    for entry in NOT_YET:
        whole = entry.key.removesuffix("[]")
        if key == whole or (key.startswith(f"{whole}.") and not entry.values):
            return entry.remark
    return ""


def refused(values: Mapping[str, Value]) -> Iterator[tuple[KeyPath, NotYet]]:
    """The keys in ``values`` that ask for what is not there yet."""
    for entry in NOT_YET:
        for path, value in _at(values, tuple(entry.key.replace("[]", ".[]").split(".")), ()):
            if entry.asks(value):
                yield path, entry


def _at(
    value: Value | Mapping[str, Value], way: tuple[str, ...], path: KeyPath
) -> Iterator[tuple[KeyPath, Value]]:
    if not way:
        yield path, value  # type: ignore[misc]  # at the end of the way it is a value
    elif way[0] == "[]" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _at(item, way[1:], (*path, index))
    elif isinstance(value, dict) and way[0] in value:
        yield from _at(value[way[0]], way[1:], (*path, way[0]))
