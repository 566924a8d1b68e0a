"""A release of the application is played with real gateways, in the order in which the kubelet ends a pod."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.cluster.live import fetch
from tests.cluster.rig import Replica, Steered, clustered
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.redis import RedisServer
from tests.fakes.serving import Application, launched, serving
from tests.k8s.rollout import Pod, asking

MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes" / "sidecar.yaml"


def pod_of_the_manifest() -> tuple[dict[str, Any], dict[str, str]]:
    """The spec of its pods, and the limits of time in its configuration."""
    documents = {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text())}
    config = yaml.safe_load(documents["ConfigMap"]["data"]["gateway.yaml"])
    return documents["Deployment"]["spec"]["template"]["spec"], config.get("timeouts", {})


async def restarted(gateway: Replica, timeouts: dict[str, str], old: int, new: int) -> None:
    """With these limits, in front of another application."""
    await gateway.stop()
    path = gateway.directory / "gateway.yaml"
    text = put(path.read_text(), {f"127.0.0.1:{old}": f"127.0.0.1:{new}"})
    path.write_text(f"{text}\ntimeouts: {yaml.safe_dump(timeouts, default_flow_style=True)}")
    await gateway.start()


async def test_a_release_loses_no_request_and_signs_nobody_out(tmp_path: Path) -> None:
    """The pod of before ends while a load balancer still sends to it, a client keeps its connection, and an answer takes
    its time: each request is answered by an application, and the session goes on at the new pod.
    """
    spec, timeouts = pod_of_the_manifest()
    with RedisServer(tmp_path / "redis", "appendonly yes", "appendfsync always") as redis:
        async with clustered(tmp_path, state=f"redis://127.0.0.1:{redis.port}/0", number=2) as cluster:
            first, later = cluster.replicas
            applications = Application(), Application()
            for gateway, application in zip(cluster.replicas, applications, strict=True):
                await application.start()
                await restarted(gateway, timeouts, cluster.application.port, application.port)
            cookie = cluster.cookie(await cluster.signed_in(at=0))
            await later.serves(cookie)

            service = Steered(urlsplit(cluster.app).netloc, first.port)
            async with asking(cluster, service, cookie) as clients:
                slow = asyncio.create_task(fetch(first.port, "/api/slow", first.host, cookie))
                await asyncio.wait_for(applications[0].asked.wait(), PATIENCE)
                await asyncio.gather(*(client.asks(3) for client in clients))

                ending = asyncio.create_task(Pod(first, applications[0]).terminated(spec))
                await asyncio.gather(*(client.asks(10) for client in clients))
                service.port = later.port  # now the last load balancer has heard of it
                await asyncio.gather(*(client.asks(10) for client in clients))
                applications[0].slow.set()
                assert await slow == (200, b"slow but whole")
                await ending
                await asyncio.gather(*(client.asks(3) for client in clients))
            await applications[1].close()
    assert [client.lost for client in clients] == [[], []]
    assert first.process is not None
    assert first.process.returncode == 0


async def test_who_is_signed_in_stays_so_over_a_new_pod_with_the_volume_of_the_one_before(
    tmp_path: Path,
) -> None:
    """What a pod has in memory is gone, the witness of its log too; key, configuration and volume are there."""
    for pod in ("before", "after"):
        (tmp_path / pod).mkdir(mode=0o700)
    async with serving(tmp_path, env={"RUNTIME_DIRECTORY": str(tmp_path / "before")}) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        assert await gateway.stop() == 0
        gateway.process = await launched(
            gateway.config, workers=1, accept_for=0, env={"RUNTIME_DIRECTORY": str(tmp_path / "after")}
        )
        await gateway.until("/readyz", 200)
        assert await gateway.status(browser.cookie_header(gateway.app)) == 200
