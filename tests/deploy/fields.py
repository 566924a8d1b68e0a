"""Objects of Kubernetes held to a table of the fields that their kinds have (`fields.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

TABLE: Mapping[str, Mapping[str, str]] = yaml.safe_load((Path(__file__).parent / "fields.yaml").read_text())
_DURATION = re.compile(r"(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_ITEMS = re.compile(r"(.*?) <= (\d+)")


def kind_of(document: Mapping[str, Any]) -> str:
    """Its heading in the table."""
    return f"{document['kind']} {document['apiVersion']}" if "kind" in document else "MeshConfig"


def faults(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with it: unknown kinds and fields, values that are not allowed, what is missing or too many."""
    known = TABLE.get(kind_of(document))
    if known is None:
        return [f"unknown kind {kind_of(document)}"]
    told = {name: value for name, value in document.items() if name not in {"apiVersion", "kind", "metadata"}}
    return [*_wrong(told, "", known), *_missing(told, known)]


def _wrong(value: object, place: str, known: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, dict):
        anything = f"{place}.{{}}" in known
        for name, inner in value.items():
            step = "{}" if anything else name
            yield from _wrong(inner, f"{place}.{step}".lstrip("."), known)
    elif isinstance(value, list):
        limits = [
            found
            for field, rule in known.items()
            if field.startswith(f"{place}[]") and (found := _ITEMS.match(rule))
        ]
        if limits and len(value) > int(limits[0][2]):
            yield f"{place}: {len(value)} items, and there is room for {limits[0][2]}"
        for inner in value:
            yield from _wrong(inner, f"{place}[]", known)
    elif place not in known:
        yield f"unknown field {place}"
    elif not _fits(value, known[place]):
        yield f"{place}: {value!r} is not {known[place]}"


def _fits(value: object, rule: str) -> bool:
    rule = _ITEMS.sub(r"\1", rule).rstrip("!")
    if rule == "boolean":
        return isinstance(value, bool)
    if span := _RANGE.fullmatch(rule):
        return type(value) is int and int(span[1]) <= value <= int(span[2])
    if rule == "duration":
        return isinstance(value, str) and _DURATION.fullmatch(value) is not None
    return isinstance(value, str) and (rule == "string" or value in rule.split("|"))


def _missing(document: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[str]:
    """Required fields whose surroundings are there, and they are not."""
    for field, rule in known.items():
        if rule.endswith("!"):
            around, _, name = field.removesuffix("[]").rpartition(".")
            for each in at(document, around):
                if isinstance(each, dict) and name not in each:
                    yield f"{field} is missing"


def at(value: object, path: str) -> Iterator[Any]:
    """Everything at ``path``, as the table writes it."""
    if not path:
        yield value
        return
    step, _, rest = path.partition(".")
    name, is_list = step.removesuffix("[]"), step.endswith("[]")
    if isinstance(value, dict) and name in value:
        inner = value[name]
        for each in inner if is_list else [inner]:
            yield from at(each, rest)
