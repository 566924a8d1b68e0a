"""What is sealed, as named fields with a version, so that replicas of different releases read each other.

A field of a sealed class is annotated with its kind and its name: ``seen: Annotated[int, "s"]``. Fields without a name
are not sealed, and those that have their default are left out. The rules, from version 1 on:

* A field that comes later has a default; a release before it meets a name that it does not know.
* What has such a name is kept in ``more`` and sealed again with whatever is made of the value, so that a replica that
  is still to be updated loses nothing of it.
* Where passing a field over would let somebody do more than he may, its name begins with a capital letter: who does not
  know it takes the whole for nothing, or for what can only be ended (`Format.read_narrowed`). Never in a chain, for
  that would lose a sign-out halfway.
* No field changes its kind or meaning, and no name is used again. Where that is not enough the version goes up, in two
  releases: the first reads both and seals the older. Another version than is known is taken for nothing.

Names that are kept free for what is to come, in small letters or with a capital: see `RESERVED`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from types import MappingProxyType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Protocol,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from gateway.core.session.sealing import Failure, Opened

VERSION: Final = 1
RESERVED: Final = {
    "v": "the version",
    "ap": "the application that it is good for",
    "cs": "the suffix of our cookies' names, where a host has several gateways",
    "jk": "the thumbprint of the key of the device that it is bound to (RFC 7638)",
}
_Turn = Callable[[Any], Any]


class Sealable(Protocol):
    """A dataclass, with what a later release has sealed in it as JSON, empty where there is nothing."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def more(self) -> str: ...


T = TypeVar("T", bound=Sealable)


class Format(Generic[T]):
    """How values of one class are sealed, and those in its fields.

    :param made: where ``more`` has a default.
    :raises ValueError: two of its fields have one name, or one of those that are kept free.
    """

    def __init__(self, made: type[T]) -> None:
        hints = get_type_hints(made, include_extras=True)
        fields = [(each, hints[each.name]) for each in dataclasses.fields(made)]
        sealed = [(each, *get_args(hint)) for each, hint in fields if get_origin(hint) is Annotated]
        names = [name.lower() for _, _, name in sealed]
        if len({*names, *RESERVED}) < len(names) + len(RESERVED):
            raise ValueError(f"{made.__name__} cannot be sealed as {names}: one stands twice, or is not free")
        turns = [(each, name, *_turns(hint)) for each, hint, name in sealed]
        self._made = made
        self._values = attrgetter(*(each.name for each, _, _ in sealed))
        self._written = tuple((name, _default(each), write) for each, name, _, write, _ in turns)
        self._read = MappingProxyType({name: (each.name, kind, read) for each, name, kind, _, read in turns})

    def plain(self, value: T) -> dict[str, Any]:
        """``value`` as plain data to seal."""
        return {"v": VERSION, **self.fields(value)}

    def read(self, plain: Mapping[str, Any]) -> T | None:
        """The value in what was sealed; None where it is something else, or the rules say so."""
        try:
            return self.made_of(plain) if type(plain.get("v")) is int and plain["v"] == VERSION else None
        except (ValueError, RecursionError):
            return None

    def read_narrowed(self, plain: Mapping[str, Any]) -> T | None:
        """The same without what narrows it, for who will only end it."""
        return self.read({name: value for name, value in plain.items() if not name[:1].isupper()})

    def read_from(self, opened: Opened | Failure | None) -> T | None:
        """The same of what did open."""
        return self.read(opened.plain) if isinstance(opened, Opened) else None

    def fields(self, value: T) -> dict[str, Any]:
        """The same without the version, for a value inside another."""
        plain: dict[str, Any] = json.loads(value.more) if value.more else {}
        for (name, default, write), field in zip(self._written, self._values(value), strict=True):
            if field != default:
                plain[name] = field if write is None else write(field)
        return plain

    def made_of(self, plain: object) -> T:
        """The value of such fields.

        :raises ValueError: there is none.
        """
        if type(plain) is not dict:
            raise ValueError("no fields")
        given, more = {}, {}
        for name, value in plain.items():
            if (field := self._read.get(name)) is not None:
                attribute, kind, read = field
                given[attribute] = value if type(value) is kind else read(value)
            elif name[:1].isupper():
                raise ValueError(f"what {name!r} asks for is not known")
            elif name != "v":
                more[name] = value
        if more:
            given["more"] = json.dumps(more)
        try:
            return self._made(**given)
        except TypeError as error:
            raise ValueError("a field is missing") from error


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default  # where there is none, nothing is equal to it


def _turns(hint: Any) -> tuple[type | None, _Turn | None, _Turn]:
    """The type of JSON that is taken as it is, and how all else is written and read."""
    kind, args = get_origin(hint), get_args(hint)
    if hint in {str, int, bool}:
        return hint, None, _refuse
    if hint is bytes:
        return None, lambda octets: base64.b64encode(octets).decode(), _octets
    if dataclasses.is_dataclass(hint):
        inner: Format[Any] = Format(cast("type[Any]", hint))
        return None, inner.fields, inner.made_of
    if kind is UnionType:  # with None, which is written only where something else is the default
        taken, write, read = _turns(args[0])
        return taken, write, lambda value: None if value is None else read(value)
    if kind is tuple:
        return None, *_row(args)
    return None, dict, lambda value: MappingProxyType(value) if type(value) is dict else _refuse(value)


def _row(args: tuple[Any, ...]) -> tuple[_Turn, _Turn]:
    """How tuples are written and read: of one kind, or of a kind for each place."""
    each = [_turns(arg) for arg in args if arg is not Ellipsis]

    def turns(row: Any) -> Iterable[tuple[Any, tuple[type | None, _Turn | None, _Turn]]]:
        return zip(row, each if Ellipsis not in args else each * len(row), strict=True)

    def write(row: Any) -> list[Any]:
        return [value if turn is None else turn(value) for value, (_, turn, _) in turns(row)]

    def read(row: Any) -> tuple[Any, ...]:
        if type(row) is not list:
            _refuse(row)
        return tuple(value if type(value) is kind else turn(value) for value, (kind, _, turn) in turns(row))

    return write, read


def _octets(text: object) -> bytes:
    return base64.b64decode(text if isinstance(text, str) else _refuse(text), validate=True)


def _refuse(value: object) -> Any:
    raise ValueError(f"a field that is no {type(value).__name__}")
