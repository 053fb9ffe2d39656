"""Runs batches on the GPU while it is well, else on the CPU, and finds the way back (GPU-2..4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from connectors.encoders.devices import (
    Device,
    DeviceLost,
    DeviceOutOfMemory,
    HeadOutputs,
    TokenBatch,
)
from connectors.encoders.gpu_health import Pace, ThermalGuard
from connectors.encoders.length_batches import length_batches, padded_length
from connectors.encoders.nvml import GpuMonitor
from connectors.encoders.port import EncoderStatus, GpuSample


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Bounds of a batch on the GPU and on the CPU, and how often the GPU is read or tried again."""

    gpu_token_budget: int = 32_768
    cpu_token_budget: int = 2_048
    most_rows: int = 256
    pad_to: int = 8
    sample_seconds: float = 5.0
    retry_seconds: float = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class FinishedBatch:
    """Outputs of a batch and which texts its rows are."""

    members: list[int]
    outputs: HeadOutputs


OpenDevice = Callable[[], Device]


class DevicePool:
    """A GPU with the CPU behind it. Not safe for threads: one thread drives it.

    `open_gpu` is None where only the CPU was asked for. The CPU's model is loaded when it is first
    needed. `clock` gives seconds that only rise.
    """

    def __init__(
        self,
        open_gpu: OpenDevice | None,
        open_cpu: OpenDevice,
        settings: PoolSettings,
        clock: Callable[[], float],
        *,
        gpu_wanted: bool = True,
        monitor: GpuMonitor | None = None,
    ) -> None:
        self._open_gpu = open_gpu
        self._open_cpu = open_cpu
        self._settings = settings
        self._clock = clock
        self._monitor = monitor
        self._guard = ThermalGuard()
        self._gpu: Device | None = None
        self._cpu: Device | None = None
        self._gpu_away_because = ""
        self._retry_at = 0.0
        self._sample: GpuSample | None = None
        self._sample_at = 0.0
        self._splits = 0
        if open_gpu is not None:
            self._try_gpu()
        elif gpu_wanted:
            self._gpu_away_because = "no GPU is present"
        if self._gpu is None:
            self._cpu = open_cpu()

    def run(self, rows: Sequence[Sequence[int]], padding_id: int) -> list[FinishedBatch]:
        """Forward passes of all rows of token ids, in batches of like length."""
        self._read_gpu()
        self._return_to_gpu()
        device = self._device()
        work = _Work(rows, padding_id, self._settings.pad_to)
        work.plan(list(range(len(rows))), self._token_budget(device), self._settings.most_rows)
        while work.is_left:
            try:
                work.step(device)
            except DeviceOutOfMemory as problem:
                self._splits += 1
                if not work.make_smaller():
                    self._to_cpu(work, device, problem)
            except DeviceLost as problem:
                if device is not self._gpu:
                    raise
                self._leave_gpu(f"the GPU failed: {problem}")
                device = self._device()
                work.plan(work.unfinished(), self._token_budget(device), self._settings.most_rows)
        return work.finished

    def status(self) -> EncoderStatus:
        gpu_runs = self._gpu is not None and self._guard.pace is not Pace.PAUSED
        detail = self._gpu_away_because
        if self._gpu is not None and self._guard.pace is not Pace.FULL:
            detail = f"the GPU is hot: batches are {self._guard.pace}"
        return EncoderStatus(
            state="degraded" if detail else "ready",
            device=self._gpu.name if gpu_runs and self._gpu is not None else "cpu",
            detail=detail,
            out_of_memory_splits=self._splits,
            gpu=self._sample,
        )

    def close(self) -> None:
        for device in (self._gpu, self._cpu):
            if device is not None:
                device.close()
        self._gpu = self._cpu = None

    def _device(self) -> Device:
        if self._gpu is not None and self._guard.pace is not Pace.PAUSED:
            return self._gpu
        if self._cpu is None:
            self._cpu = self._open_cpu()
        return self._cpu

    def _token_budget(self, device: Device) -> int:
        if device is not self._gpu:
            return self._settings.cpu_token_budget
        whole = self._settings.gpu_token_budget
        return whole // 2 if self._guard.pace is Pace.HALVED else whole

    def _to_cpu(self, work: _Work, device: Device, problem: DeviceOutOfMemory) -> None:
        """One text alone is too long for the GPU: it goes through the CPU, the others do not."""
        if device is not self._gpu:
            raise MemoryError("a single text does not fit into memory on the CPU") from problem
        if self._cpu is None:
            self._cpu = self._open_cpu()
        work.finish_next(self._cpu)

    def _leave_gpu(self, reason: str) -> None:
        lost, self._gpu = self._gpu, None
        self._gpu_away_because = reason
        self._retry_at = self._clock() + self._settings.retry_seconds
        if lost is None:
            return
        try:
            lost.close()
        except (DeviceLost, DeviceOutOfMemory):
            return  # a lost device may keep its memory; it is let go all the same

    def _return_to_gpu(self) -> None:
        if self._gpu is None and self._open_gpu is not None and self._clock() >= self._retry_at:
            self._try_gpu()

    def _try_gpu(self) -> None:
        if self._open_gpu is None:
            return
        try:
            self._gpu = self._open_gpu()
            self._gpu_away_because = ""
        except (DeviceLost, DeviceOutOfMemory) as problem:
            self._gpu_away_because = f"the GPU cannot be used: {problem}"
            self._retry_at = self._clock() + self._settings.retry_seconds

    def _read_gpu(self) -> None:
        if self._monitor is None or self._clock() < self._sample_at:
            return
        self._sample_at = self._clock() + self._settings.sample_seconds
        self._sample = self._monitor.sample()
        if self._sample is not None:
            self._guard.observe(self._sample)


class _Work:
    """The batches of one run: planned, under way on a device, finished."""

    def __init__(self, rows: Sequence[Sequence[int]], padding_id: int, pad_to: int) -> None:
        self.finished: list[FinishedBatch] = []
        self._rows = rows
        self._padding_id = padding_id
        self._pad_to = pad_to
        self._planned: deque[list[int]] = deque()
        self._under_way: deque[tuple[list[int], Callable[[], HeadOutputs]]] = deque()
        self._most_under_way = 2  # the device always has a batch queued behind the one waited for

    @property
    def is_left(self) -> bool:
        return bool(self._planned or self._under_way)

    def plan(self, members: list[int], token_budget: int, most_rows: int) -> None:
        """Plan these texts anew; what was planned before is forgotten."""
        batches = length_batches(
            [len(self._rows[member]) for member in members],
            token_budget=token_budget,
            most_rows=most_rows,
            pad_to=self._pad_to,
        )
        self._planned = deque([members[index] for index in batch] for batch in batches)
        self._under_way.clear()

    def unfinished(self) -> list[int]:
        return [member for batch, _ in self._under_way for member in batch] + [
            member for batch in self._planned for member in batch
        ]

    def step(self, device: Device) -> None:
        """Queue the next batch, or wait for the oldest one; leaves all in place where it fails."""
        if self._planned and len(self._under_way) < self._most_under_way:
            members = self._planned[0]
            self._under_way.append((members, device.start(self._batch(members))))
            self._planned.popleft()
            return
        members, outputs = self._under_way[0]
        self.finished.append(FinishedBatch(members, outputs()))
        self._under_way.popleft()

    def finish_next(self, device: Device) -> None:
        """Run the next batch on `device` to its end."""
        members = self._planned[0]
        self.finished.append(FinishedBatch(members, device.start(self._batch(members))()))
        self._planned.popleft()

    def make_smaller(self) -> bool:
        """After running out of memory: False when there is nothing left to make smaller (GPU-4).

        First the batch gets the device for itself; then it is cut in halves, and so is every batch
        that is as large.
        """
        had_company = self._most_under_way > 1 and bool(self._under_way)
        self._planned.extendleft(batch for batch, _ in reversed(self._under_way))
        self._under_way.clear()
        if had_company:
            self._most_under_way = 1
            return True
        if len(self._planned[0]) == 1:
            return False
        too_large = self._cost(self._planned[0])
        halves: deque[list[int]] = deque()
        for batch in self._planned:
            middle = len(batch) // 2
            if middle and self._cost(batch) >= too_large:
                halves.extend([batch[:middle], batch[middle:]])
            else:
                halves.append(batch)
        self._planned = halves
        return True

    def _cost(self, batch: list[int]) -> int:
        return len(batch) * padded_length(len(self._rows[batch[0]]), self._pad_to)

    def _batch(self, members: list[int]) -> TokenBatch:
        lengths = np.array([len(self._rows[member]) for member in members], dtype=np.int64)
        width = padded_length(int(lengths.max()), self._pad_to)
        ids = np.full((len(members), width), self._padding_id, dtype=np.int64)
        for place, member in enumerate(members):
            ids[place, : lengths[place]] = self._rows[member]
        return TokenBatch(ids, lengths)
