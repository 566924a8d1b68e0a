"""The second pass: the tree against the pydantic models, every key on its own.

pydantic parses each key; walking the sections is ours, so that one bad key does not hide the findings of the keys
around it, an unknown key gets a did-you-mean, and the cross-field rules still run on whatever is sound.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gateway.config.findings import BadValueError, Finding, KeyPath, Places, dotted
from gateway.config.model import Settings
from gateway.config.sections import Section
from gateway.config.yaml_tree import Value

S = TypeVar("S", bound=Section)
UNUSABLE = object()
"""Stands for the value of a key that has none we can use."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the model.

    :ivar path: with ``[]`` for the items of a list: ``upstreams[].url``.
    """

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def dotted(self) -> str:
        return ".".join(self.path).replace(".[]", "[]")

    @property
    def is_structured(self) -> bool:
        """A list or a mapping, which an environment variable gives as one JSON value."""
        return get_origin(self.field.annotation) in {tuple, dict}


@cache
def keys(kind: type[Section] = Settings) -> tuple[Key, ...]:
    """Every key that takes a value, in the order of the reference listing."""
    return tuple(_keys(kind, ()))


def _keys(kind: type[Section], above: tuple[str, ...]) -> Iterator[Key]:
    for name, info in kind.model_fields.items():
        inner = section_of(info)
        if inner is not None:
            yield from _keys(inner, (*above, name))
        elif (item := item_section_of(info)) is not None:
            yield Key((*above, name), info)
            yield from _keys(item, (*above, name, "[]"))
        else:
            yield Key((*above, name), info)


def section_of(info: FieldInfo) -> type[Section] | None:
    """The section that a key opens, if it opens one."""
    for kind in get_args(info.annotation) if get_origin(info.annotation) is UnionType else (info.annotation,):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def item_section_of(info: FieldInfo) -> type[Section] | None:
    """The section that each item of a key's list is, if so."""
    kinds = get_args(info.annotation) if get_origin(info.annotation) is tuple else ()
    return kinds[0] if kinds and isinstance(kinds[0], type) and issubclass(kinds[0], Section) else None


@dataclass(slots=True)
class Reading:
    """What the second pass knows.

    :ivar base: the directory that relative paths count from.
    :ivar refused: keys that another pass has refused already; they have no value, and need no second finding.
    :ivar broken: the keys that have no usable value; no rule may read them.
    :ivar given: the keys that somebody wrote, with a value.
    """

    places: Places
    base: Path
    refused: frozenset[KeyPath] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    given: set[KeyPath] = field(default_factory=set)

    def build(self, kind: type[S], values: Mapping[str, Value], path: KeyPath = ()) -> S:
        """A section of what is sound in ``values``; what is not is in ``broken``, and its attribute means nothing."""
        for name in values:
            if name not in kind.model_fields:
                self._unknown(kind, (*path, name))
        sound = {}
        for name, info in kind.model_fields.items():
            value = self._value(info, values.get(name), (*path, name))
            if value is not UNUSABLE:
                sound[name] = value
        return kind.model_construct(
            _fields_set={name for name in sound if (*path, name) in self.given}, **sound
        )

    def usable(self, path: KeyPath) -> bool:
        """Whether ``path`` and everything in it has a value that rules may read."""
        return not any(
            bad[: len(path)] == path or path[: len(bad)] == bad for bad in self.broken | self.refused
        )

    def _value(self, info: FieldInfo, value: Value, path: KeyPath) -> object:
        if value is not None:
            self.given.add(path)
        if path in self.refused:
            return UNUSABLE
        inner, item = section_of(info), item_section_of(info)
        if inner is not None and (value is not None or not _is_optional(info)):
            return self._section(inner, value if value is not None else {}, path)
        if value is None:
            return self._default(info, path)
        if item is not None and isinstance(value, list):
            return tuple(self._section(item, each, (*path, index)) for index, each in enumerate(value))
        return self._leaf(info, value, path)

    def _section(self, kind: type[Section], value: Value, path: KeyPath) -> object:
        if isinstance(value, dict):
            return self.build(kind, value, path)
        return self._unusable(
            path, "is not a section", f"write its keys, such as `{next(iter(kind.model_fields))}: …`"
        )

    def _default(self, info: FieldInfo, path: KeyPath) -> object:
        if info.is_required():
            return self._unusable(path, "is missing", f"add it: {info.description}")
        default = info.get_default(call_default_factory=True, validated_data={})
        return default if default is None else self._leaf(info, default, path)

    def _leaf(self, info: FieldInfo, value: object, path: KeyPath) -> object:
        try:
            return _adapter(info).validate_python(value, context={"base": self.base})
        except ValidationError as error:
            for details in error.errors(include_url=False, include_input=False):
                at = (*path, *_inner(details))
                if at not in self.refused:
                    self.findings.append(self.places.finding(at, *_words(details)))
            self.broken.add(path)
            return UNUSABLE

    def _unusable(self, path: KeyPath, what: str, fix: str) -> object:
        self.broken.add(path)
        self.findings.append(self.places.finding(path, what, fix))
        return UNUSABLE

    def _unknown(self, kind: type[Section], path: KeyPath) -> None:
        name = str(path[-1])
        near = difflib.get_close_matches(name, kind.model_fields, n=1, cutoff=0.6)
        elsewhere = [key.dotted for key in keys() if key.path[-1] == name and key.path != path]
        if near:
            fix = f"did you mean `{dotted((*path[:-1], near[0]))}`?"
        elif elsewhere:
            fix = f"did you mean `{'` or `'.join(elsewhere)}`?"
        else:
            fix = f"remove it; the keys here are {', '.join(kind.model_fields)}"
        self.findings.append(self.places.finding(path, "is not a key", fix))


def _is_optional(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is UnionType


@cache
def _adapter_of(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    return _adapter_of(info.rebuild_annotation())


def _inner(details: ErrorDetails) -> KeyPath:
    """Where inside a list or mapping; pydantic marks a mapping's key with ``[key]``."""
    return tuple(part for part in details["loc"] if part != "[key]")


_EXPECTED = {
    "tuple_type": ("is not a list", "write a list, such as [a, b]"),
    "dict_type": ("is not a mapping", "write `name: value` pairs"),
}


def _words(details: ErrorDetails) -> tuple[str, str]:
    error = details.get("ctx", {}).get("error")
    if isinstance(error, BadValueError):
        return error.what, error.fix
    if details["type"] == "literal_error":
        return "is none of its choices", f"choose {details['ctx']['expected'].replace(chr(39), '`')}"
    return _EXPECTED.get(details["type"], (f"cannot be used: {details['msg']}", "see docs/configuration.md"))
