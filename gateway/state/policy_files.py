"""Policy sets on disk: the ones shipped with the gateway, called ``builtin:<name>``, and directories of
one's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from gateway.core.policy.faults import PolicyFault, PolicyFaultsError
from gateway.core.policy.policy_set import PolicySet

BUILTIN = "builtin:"
SCHEMA = "schema.cedarschema"
CASES = "cases.yaml"
MOST_BELOW = 5_000
"""Files and directories below a directory of policies that are looked at: another one may be ``/`` itself."""


def load(source: str, base: Path) -> PolicySet:
    """The policy set that ``source`` names.

    :param source: ``builtin:<name>`` or a directory. :param base: what a relative directory counts from.
    :raises PolicyFaultsError: with every fault there is.
    """
    schema_file = shipped() / SCHEMA
    schema = _text(schema_file, str(schema_file))
    directory = directory_of(source, base)
    return PolicySet.parse(_cedar_texts(directory, source, schema), schema, schema_file=str(schema_file))


def read_cases(source: str, base: Path) -> tuple[str, str]:
    """Name and text of the cases beside the policies that ``source`` names; parameters and faults as :func:`load`."""
    file = directory_of(source, base) / CASES
    label = _label(source, CASES)
    if not file.is_file():
        what = "there are no cases, so nothing shows what the policies do"
        raise PolicyFaultsError([PolicyFault(label, 0, what, "write some; policies/README.md explains how")])
    return label, _text(file, label)


def shipped() -> Path:
    """Where the policies of this installation are: in the package, or beside it in a checkout."""
    package = Path(str(resources.files("gateway")))
    packaged = package / "builtin_policies"
    return packaged if packaged.is_dir() else package.parent / "policies"


def builtin_names() -> list[str]:
    """What can follow ``builtin:``."""
    return sorted(each.name for each in shipped().iterdir() if any(each.glob("*.cedar")))


def _known() -> str:
    return ", ".join(BUILTIN + name for name in builtin_names())


def directory_of(source: str, base: Path) -> Path:
    """The directory ``source`` names.

    :raises PolicyFaultsError: there is none.
    """
    if source.startswith(BUILTIN):
        name = source.removeprefix(BUILTIN)
        if name not in builtin_names():
            what = "there is no such policy set"
            raise PolicyFaultsError([PolicyFault(source, 0, what, f"there are {_known()}")])
        return shipped() / name
    directory = base / source
    if not directory.is_dir():
        what = "this is a file" if directory.exists() else "there is no such directory"
        fix = f"name a directory that holds *.cedar files, or one of {_known()}"
        raise PolicyFaultsError([PolicyFault(source, 0, what, fix)])
    return directory


def _cedar_texts(directory: Path, source: str, schema: str) -> dict[str, str]:
    files = sorted(directory.glob("*.cedar"))
    faults = [*_strays(directory, source), *_other_schemas(directory, source, schema)]
    if not files:
        what = "there is no *.cedar file in it, so every request would be denied"
        faults.append(PolicyFault(source, 0, what, "put your policies there, or name another directory"))
    if faults:
        raise PolicyFaultsError(faults)
    labels = {file: _label(source, file.name) for file in files}
    return {label: _text(file, label) for file, label in labels.items()}


def _strays(directory: Path, source: str) -> Iterator[PolicyFault]:
    """Policies further down: a forbid that is not read would be missed by nobody. Hidden directories are
    left alone; Kubernetes keeps the versions of a mounted ConfigMap in them.
    """
    seen = 0
    for top in sorted(each for each in directory.iterdir() if each.is_dir() and each.name[0] != "."):
        for where, below, files in os.walk(top):
            below[:] = sorted(name for name in below if name[0] != ".")
            seen += 1 + len(files)
            if seen > MOST_BELOW:
                what = f"more than {MOST_BELOW} files and directories are below it, so it is no directory of policies"
                yield PolicyFault(source, 0, what, "name one of their own")
                return
            for name in sorted(files):
                if name.endswith(".cedar"):
                    label = _label(source, str((Path(where) / name).relative_to(directory)))
                    what = "policies in subdirectories are not read"
                    yield PolicyFault(label, 0, what, "move it up, or name the subdirectory")


def _other_schemas(directory: Path, source: str, schema: str) -> Iterator[PolicyFault]:
    """Copies of the schema (editors like to have one) that say something else than the gateway's."""
    for file in sorted(directory.glob("*.cedarschema")):
        label = _label(source, file.name)
        if _text(file, label) != schema:
            what = "this differs from the schema that the gateway decides by"
            yield PolicyFault(label, 0, what, "replace it by the gateway's, or remove it")


def _text(file: Path, label: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is not UTF-8"
        raise PolicyFaultsError([PolicyFault(label, 0, what, "save the file as UTF-8")]) from error
    except OSError as error:
        what = f"it cannot be read ({error.strerror})"
        raise PolicyFaultsError([PolicyFault(label, 0, what, "let the gateway's user read it")]) from error


def _label(source: str, name: str) -> str:
    return f"{source.rstrip('/')}/{name}"
