"""Kafka Connect's REST interface, as far as we use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import stamina

from schemas.results import Retryable

_PATIENCE_SECONDS = 60.0
_REQUEST_SECONDS = 30.0

RUNNING, FAILED, STOPPED, PAUSED = "RUNNING", "FAILED", "STOPPED", "PAUSED"
UNASSIGNED = "UNASSIGNED"
"""No worker of Kafka Connect has the connector; what is said of its tasks is then of the past."""


class ConnectRefused(RuntimeError):  # noqa: N818 - it tells the operator what Connect said
    """Connect understood the request and will not do it."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task of a connector; `trace` is the stack trace of its failure."""

    id: int
    state: str
    worker: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """A connector and its tasks. The connector can be RUNNING while its task has FAILED."""

    name: str
    state: str
    tasks: tuple[TaskState, ...]
    trace: str = ""

    @property
    def running(self) -> bool:
        """Whether the connector and at least one task run, and no task has failed."""
        return (
            self.state == RUNNING
            and bool(self.tasks)
            and not self.failed
            and all(task.state == RUNNING for task in self.tasks)
        )

    @property
    def failed(self) -> bool:
        return self.state == FAILED or any(task.state == FAILED for task in self.tasks)

    @property
    def halted(self) -> bool:
        """Whether an operator's command, or an interrupted registration, keeps it from working."""
        return self.state in (STOPPED, PAUSED)

    @property
    def failure(self) -> str:
        """The trace of whatever failed; empty where nothing did."""
        return self.trace or next((task.trace for task in self.tasks if task.trace), "")

    @property
    def problem(self) -> str:
        """The first line of the failure, and its last cause where it names another one."""
        lines = [line for line in self.failure.splitlines() if line and not line.startswith("\t")]
        causes = [line for line in lines if line.startswith("Caused by: ")]
        said = [*lines[:1], *causes[-1:]]
        return "; ".join(line.removeprefix("Caused by: ") for line in said)


class ConnectClient:
    """Speaks to one Connect cluster; waits, up to `patience_seconds`, until it is ready to answer.

    Every call raises Retryable when Connect stays away and ConnectRefused when it says no.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._http = http
        self._patience = patience_seconds

    async def connectors(self) -> list[str]:
        """The names of all connectors."""
        return sorted(await self._call("GET", "/connectors"))

    async def configuration(self, name: str) -> dict[str, str] | None:
        """What a connector was registered with; None where there is no such connector."""
        return await self._call("GET", f"/connectors/{name}/config")

    async def register(self, name: str, configuration: Mapping[str, str]) -> None:
        """Creates the connector or gives it a new configuration; its tasks restart."""
        await self._call("PUT", f"/connectors/{name}/config", dict(configuration))

    async def create_stopped(self, name: str, configuration: Mapping[str, str]) -> None:
        """Creates a connector that does not run yet."""
        body = {"name": name, "config": dict(configuration), "initial_state": STOPPED}
        await self._call("POST", "/connectors", body)

    async def state(self, name: str) -> ConnectorState | None:
        """The connector's state and its tasks'; None where there is no such connector."""
        answer = await self._call("GET", f"/connectors/{name}/status")
        if answer is None:
            return None
        return ConnectorState(
            name=name,
            state=answer["connector"]["state"],
            tasks=tuple(
                TaskState(
                    task["id"], task["state"], task.get("worker_id", ""), task.get("trace", "")
                )
                for task in answer["tasks"]
            ),
            trace=answer["connector"].get("trace", ""),
        )

    async def stop(self, name: str) -> None:
        """Ends the connector's tasks; configuration and offsets stay."""
        await self._call("PUT", f"/connectors/{name}/stop")

    async def resume(self, name: str) -> None:
        """Starts the tasks of a stopped or paused connector."""
        await self._call("PUT", f"/connectors/{name}/resume")

    async def restart_failed(self, name: str) -> None:
        """Starts what failed once more."""
        await self._call("POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")

    async def forget_offsets(self, name: str) -> None:
        """Makes a stopped connector begin anew: its next start is its first."""
        await self._call("DELETE", f"/connectors/{name}/offsets")

    async def delete(self, name: str) -> None:
        """Removes the connector; its offsets stay. No error where there is none."""
        await self._call("DELETE", f"/connectors/{name}")

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        async for attempt in stamina.retry_context(
            on=Retryable,
            attempts=None,
            timeout=self._patience,
            wait_initial=0.1,
            wait_max=2.0,
        ):
            with attempt:
                return _understood(await self._send(method, path, body))
        raise AssertionError("the last attempt returns or raises")

    async def _send(self, method: str, path: str, body: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body)
        except httpx.TransportError as problem:
            raise Retryable(
                f"Kafka Connect at {self._http.base_url}: {type(problem).__name__}: {problem}"
            ) from problem


@asynccontextmanager
async def connect_client(
    url: str, *, patience_seconds: float = _PATIENCE_SECONDS
) -> AsyncIterator[ConnectClient]:
    """A client of the Connect cluster at `url`; proxies of the environment are not asked."""
    async with httpx.AsyncClient(base_url=url, timeout=_REQUEST_SECONDS, trust_env=False) as http:
        yield ConnectClient(http, patience_seconds=patience_seconds)


def _understood(response: httpx.Response) -> Any:
    """The answer's JSON, None for an absent thing. Raises Retryable or ConnectRefused."""
    is_json = response.headers.get("content-type", "").startswith("application/json")
    if response.status_code in (httpx.codes.OK, httpx.codes.CREATED) and is_json:
        return response.json()
    if response.status_code in (httpx.codes.NO_CONTENT, httpx.codes.ACCEPTED):
        return None
    if response.status_code == httpx.codes.NOT_FOUND and is_json:
        return None
    message = response.json().get("message", "") if is_json else response.text[:200]
    if (
        response.status_code in (httpx.codes.CONFLICT, httpx.codes.NOT_FOUND)
        or response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    ):  # a rebalance, a page of HTML until it is ready, an error of its own
        raise Retryable(f"Kafka Connect answers {response.status_code}: {message}")
    raise ConnectRefused(f"Kafka Connect refuses ({response.status_code}): {message}")
