"""What capture tells of its snapshots (`capture.notification`): when they begin and when they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.kafka.offsets import offset_reader
from connectors.kafka_connect.configuration import ConnectorNames
from connectors.postgres import capture
from connectors.postgres.pool import transaction
from schemas.results import DONE, Outcome, Rejected
from schemas.topics import CAPTURE_NOTIFICATION
from workers.capture_control import SourceToCapture, begin_epoch
from workers.context import WorkerContext, kafka_client_options
from workers.runtime.processor import Incoming

_INITIAL = "Initial Snapshot"
_ENDED = frozenset({"COMPLETED", "SKIPPED"})
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


class _About(BaseModel):
    connector_name: str = ""


class Notice(BaseModel):
    """A notification of Debezium's sink channel, or the poller's in the same shape."""

    model_config = ConfigDict(extra="ignore")

    type: str
    aggregate_type: str
    tenant: str
    capture_epoch: int
    timestamp: int
    about: _About = Field(default_factory=_About, alias="additional_data")

    @property
    def at(self) -> datetime:
        return _EPOCH_START + timedelta(milliseconds=self.timestamp)


@dataclass(frozen=True, slots=True)
class _Subject:
    notice: Notice
    target: SourceToCapture


class SnapshotNotices:
    """Processor: notes the beginning and the end of every snapshot."""

    worker = "poll"
    topics: tuple[str, ...] = (CAPTURE_NOTIFICATION,)

    def __init__(self, context: WorkerContext, targets: Sequence[SourceToCapture]) -> None:
        self._context = context
        self._targets: Mapping[tuple[str, str], SourceToCapture] = {
            (one.tenant, one.name): one for one in targets
        }

    async def process(self, batch: Sequence[Incoming]) -> list[Outcome]:
        """Notices of other kinds, and of sources that are captured no more, are done at once."""
        return [await self._one(record) for record in batch]

    async def _one(self, record: Incoming) -> Outcome:
        if record.value is None:
            return DONE
        try:
            notice = Notice.model_validate_json(record.value)
            at = notice.at
        except (ValidationError, OverflowError) as problem:
            return Rejected("wrong_type", "value", f"no snapshot notification: {problem}")
        names = ConnectorNames.of_prefix(notice.about.connector_name)
        target = self._targets.get((names.tenant, names.source)) if names else None
        if target is None or notice.aggregate_type != _INITIAL:
            return DONE
        if notice.type == "STARTED":
            await self._started(notice, target, at)
        elif notice.type in _ENDED:
            await self._ended(notice, target)
        return DONE

    async def _started(self, notice: Notice, target: SourceToCapture, at: datetime) -> None:
        async with transaction(self._context.pool) as writer:
            expected = await capture.snapshot_started(
                writer, target.tenant, target.name, notice.capture_epoch, at
            )
        if not expected:
            await begin_epoch(
                self._context, target, "the connector lost its place and began a snapshot by itself"
            )

    async def _ended(self, notice: Notice, target: SourceToCapture) -> None:
        """All rows of the snapshot lie before this notice: they have arrived with these ends."""
        options = kafka_client_options(self._context.settings.kafka)
        async with offset_reader(options) as offsets:
            ends = await offsets.ends(target.topics)
        async with transaction(self._context.pool) as writer:
            waits = await capture.await_arrival(
                writer, target.tenant, target.name, notice.capture_epoch, ends
            )
        if waits:
            self._context.log.info("snapshot ended", source=str(target), epoch=notice.capture_epoch)
