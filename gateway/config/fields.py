"""The second pass: the tree against the sections, every key on its own.

One bad key does not hide the findings of the keys around it, an unknown key gets a did-you-mean, and the cross-field
rules still run on whatever is sound.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from keyword import iskeyword
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gateway.config.file_checks import exposure
from gateway.config.findings import Finding, KeyPath, Places, dotted
from gateway.config.remarks import Remark, error
from gateway.config.yaml_tree import Value
from gateway.core.errors import ConfigurationError
from gateway.settings.bad_value import BadValueError
from gateway.settings.kinds import REQUIRED
from gateway.settings.model import Settings
from gateway.settings.secret_files import read_secret

S = TypeVar("S")
UNUSABLE: Any = object()
"""Stands for the value of a key that has none we can use."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    :ivar path: with ``[]`` for the items of a list: ``upstreams[].url``.
    :ivar type: its annotation. :ivar default: as an operator would write it, or ``REQUIRED``.
    """

    path: tuple[str, ...]
    type: Any
    default: Any
    description: str

    @property
    def dotted(self) -> str:
        return ".".join(self.path).replace(".[]", "[]")

    @property
    def is_structured(self) -> bool:
        """A list or a mapping, which an environment variable gives as one JSON value."""
        return get_origin(self.type) in {tuple, dict}

    @property
    def section(self) -> type | None:
        """The section that it opens, or that each item of its list is."""
        parts = [self.type] if get_origin(self.type) in {None, Annotated} else get_args(self.type)
        return next((part for part in parts if is_dataclass(part) and isinstance(part, type)), None)


def keys_of(kind: type) -> Mapping[str, Key]:
    """The keys of one section, those that open sections too."""
    return _keys_of(kind)


@cache
def _keys_of(kind: type) -> Mapping[str, Key]:
    """Once for each section: to evaluate the annotations takes as long as everything else that reads a file."""
    types = get_type_hints(kind, include_extras=True)
    own = {each.name.removesuffix("_"): each for each in fields(kind)}
    return {name: Key((name,), types[each.name], **each.metadata) for name, each in own.items()}


@cache
def keys() -> tuple[Key, ...]:
    """Every key that takes a value, in the order of the reference listing."""
    return tuple(_keys(Settings, ()))


def _keys(kind: type, above: tuple[str, ...]) -> Iterator[Key]:
    for name, key in keys_of(kind).items():
        path = (*above, name)
        if key.section is None or key.is_structured:
            yield replace(key, path=path)
        if key.section is not None:
            yield from _keys(key.section, (*path, "[]") if key.is_structured else path)


@dataclass(slots=True)
class Reading:
    """What the second pass knows.

    :ivar base: the directory that relative paths count from.
    :ivar broken: the keys that have no usable value; no rule may read them.
    :ivar given: the keys that somebody wrote, with a value.
    """

    places: Places
    base: Path
    findings: list[Finding] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    given: set[KeyPath] = field(default_factory=set)

    def build(self, kind: type[S], values: Mapping[str, Value], path: KeyPath = ()) -> S:
        """A section of ``values``; what is not sound is in ``broken``, and its attribute means nothing."""
        own = keys_of(kind)
        for name in values.keys() - own.keys():
            self._unknown(own, (*path, name), values)
        made = {name: self._value(key, values.get(name), (*path, name)) for name, key in own.items()}
        for name in own:
            file = made.get(f"{name}_file")
            if isinstance(file, Path):
                made[name] = self._secret(file, made[name], (*path, name))
        return kind(**{f"{name}_" if iskeyword(name) else name: value for name, value in made.items()})

    def usable(self, path: KeyPath) -> bool:
        """Whether ``path`` and everything in it has a value that rules may read."""
        return not any(bad[: len(path)] == path or path[: len(bad)] == bad for bad in self.broken)

    def note(self, remarks: Iterable[Remark], needs: Sequence[KeyPath] = ()) -> None:
        """Remarks become findings at their places.

        :param needs: keys that they are about: where only others of them are written than the one that is named, those
            are where to look. A secret is where its file is named.
        """
        written = self.places.written
        for remark in remarks:
            path = remark.path
            twin = (*path[:-1], f"{path[-1]}_file") if path else path
            if not written(path) and written(twin):
                path = twin
            at = path if written(path) else next(filter(written, needs), path)
            finding = Finding(self.places.of(at), dotted(path), remark.what, remark.fix, remark.severity)
            self.findings.append(finding)

    def _value(self, key: Key, value: Value, path: KeyPath) -> object:
        if value is not None:
            self.given.add(path)
        written = key.default if value is None else value
        if written is REQUIRED and (key.section is None or key.is_structured):
            return self._unusable(path, "is missing", f"add it: {key.description}")
        return (
            None if written is None else self._parsed(key.type, {} if written is REQUIRED else written, path)
        )

    def _parsed(self, kind: Any, value: Any, path: KeyPath) -> Any:
        origin, inner = get_origin(kind), get_args(kind)
        if origin in {Union, UnionType}:  # `X | None`, and what is written is not None
            return self._parsed(inner[0], value, path)
        if origin is None:  # a section
            if isinstance(value, dict):
                return self.build(kind, value, path)
            example = next(iter(keys_of(kind)))
            return self._unusable(path, "is not a section", f"write its keys, such as `{example}: …`")
        if origin is tuple:
            if isinstance(value, list | tuple):
                return tuple(self._parsed(inner[0], each, (*path, at)) for at, each in enumerate(value))
            return self._unusable(path, "is not a list", "write a list, such as [a, b]")
        if origin is dict:
            if isinstance(value, dict):
                at = {name: (*path, name) for name in value}
                return {
                    self._parsed(inner[0], name, at[name]): self._parsed(inner[1], each, at[name])
                    for name, each in value.items()
                }
            return self._unusable(path, "is not a mapping", "write `name: value` pairs")
        try:
            return _choice(inner, value) if origin is Literal else inner[1].parse(value, self.base)
        except BadValueError as bad:
            return self._unusable(path, bad.what, bad.fix)

    def _secret(self, file: Path, inline: object, at: KeyPath) -> object:
        """The secret that stands in a file of its own."""
        name, by_file = at[-1], (*at[:-1], f"{at[-1]}_file")
        if at in self.given:
            self.note([error(by_file, f"`{name}` and `{name}_file` are both set", "keep one of the two")])
            return inline
        try:
            secret = read_secret(file)
        except ConfigurationError as unreadable:
            self.broken.add(at)
            self.note([error(by_file, unreadable.detail, unreadable.fix)])
            return UNUSABLE
        self.note(exposure(by_file, file))
        return secret

    def _unusable(self, path: KeyPath, what: str, fix: str) -> Any:
        self.broken.add(path)
        self.note([error(path, what, fix)])
        return UNUSABLE

    def _unknown(self, own: Mapping[str, Key], path: KeyPath, beside: Mapping[str, Value]) -> None:
        name = str(path[-1])
        near = difflib.get_close_matches(name, own, n=1, cutoff=0.6)
        elsewhere = [key for key in keys() if key.path[-1] == name and key.path != path]
        blank = [key.path[0] for key in elsewhere if not beside.get(key.path[0], "is not there")]
        if blank:
            fix = f"indent it, for `{blank[0]}` has nothing below it"
        elif elsewhere:
            fix = f"did you mean `{'` or `'.join(key.dotted for key in elsewhere)}`?"
        elif near:
            fix = f"did you mean `{dotted((*path[:-1], near[0]))}`?"
        else:
            fix = f"remove it; the keys here are {', '.join(own)}"
        self.note([error(path, "is not a key", fix)])


def _choice(choices: tuple[Any, ...], value: object) -> object:
    for choice in choices:
        if str(choice) == str(value):
            return choice
    *others, last = [f"`{choice}`" if isinstance(choice, str) else str(choice) for choice in choices]
    raise BadValueError("is none of its choices", f"choose {', '.join(others)} or {last}")
