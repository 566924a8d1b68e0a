"""helm and kubectl, as ``make k8s`` puts them into ``build/k8s``.

``python -m tests.k8s.rendering PACKAGE DIRECTORY`` takes them out of the AWS CDK's package, where they are in an
archive in an archive.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "build" / "k8s"
LAYER = "package/lib/layer.zip"


def unpack(package: Path, directory: Path) -> None:
    """Put both programs into ``directory``.

    :param package: where pip has put the package. :raises ValueError: it is not made as it was.
    """
    archives = list(package.rglob("lambda-layer-kubectl-v*.jsii.tgz"))
    if len(archives) != 1:
        raise ValueError(
            f"{package} has {len(archives)} archives; look where the package keeps its layer now"
        )
    with tarfile.open(archives[0]) as outer:
        layer = outer.extractfile(LAYER)
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            for name in ("helm", "kubectl"):
                with inner.open(f"{name}/{name}") as source, (directory / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
                (directory / name).chmod(0o755)


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the program says to ``arguments``; it sees no configuration of this machine's user."""
    nowhere = DIRECTORY / "home"
    homes = {f"HELM_{kind}_HOME": str(nowhere) for kind in ("CACHE", "CONFIG", "DATA")}
    return subprocess.run(
        [DIRECTORY / name, *arguments],
        env={**os.environ, **homes, "HOME": str(nowhere), "KUBECONFIG": os.devnull},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
