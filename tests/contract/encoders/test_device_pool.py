"""Batches on a GPU that is full, hot, lost or missing: every text comes out right (GPU-2..4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from connectors.encoders.device_pool import DevicePool, FinishedBatch, PoolSettings
from connectors.encoders.devices import Device, DeviceLost
from connectors.encoders.gpu_health import Pace, ThermalGuard
from connectors.encoders.port import GpuSample
from tests.fakes.token_device import TokenDevice, dense_of

SETTINGS = PoolSettings(
    gpu_token_budget=64, cpu_token_budget=32, most_rows=8, pad_to=4, retry_seconds=60
)
ROWS = [[number, *range(10, 10 + number % 13)] for number in range(1, 40)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Thermometer:
    def __init__(self, *temperatures: int, throttled: bool = False) -> None:
        self.temperatures = list(temperatures)
        self.throttled = throttled

    def sample(self) -> GpuSample | None:
        return reading(self.temperatures.pop(0), throttled=self.throttled)


def reading(temperature: int, *, throttled: bool = False) -> GpuSample:
    return GpuSample(0.9, 1, 2, temperature, throttled)


def pool_over(
    gpu: TokenDevice | None,
    cpu: TokenDevice,
    clock: Clock | None = None,
    monitor: Thermometer | None = None,
) -> DevicePool:
    opened = None if gpu is None else (lambda: gpu)
    return DevicePool(opened, lambda: cpu, SETTINGS, clock or Clock(), monitor=monitor)


def require_all_right(rows: Sequence[Sequence[int]], finished: list[FinishedBatch]) -> None:
    """Each row was computed once, and rightly."""
    members = [member for batch in finished for member in batch.members]
    assert sorted(members) == list(range(len(rows)))
    for batch in finished:
        for place, member in enumerate(batch.members):
            np.testing.assert_array_equal(batch.outputs.dense[place], dense_of(list(rows[member])))


def test_batches_keep_the_budget_and_cover_every_row() -> None:
    gpu, cpu = TokenDevice("cuda:0"), TokenDevice()
    pool = pool_over(gpu, cpu)
    require_all_right(ROWS, pool.run(ROWS, 0))
    assert all(rows * width <= 64 and rows <= 8 and width % 4 == 0 for rows, width in gpu.shapes)
    assert cpu.shapes == []
    status = pool.status()
    assert (status.state, status.device, status.out_of_memory_splits) == ("ready", "cuda:0", 0)


def test_no_rows_need_no_batch() -> None:
    assert pool_over(None, TokenDevice()).run([], 0) == []


@pytest.mark.parametrize("memory", [100, 64, 48, 20, 16])
def test_out_of_memory_splits_and_retries_on_the_same_device(memory: int) -> None:
    gpu, cpu = TokenDevice("cuda:0", memory_tokens=memory), TokenDevice()
    pool = pool_over(gpu, cpu)
    require_all_right(ROWS, pool.run(ROWS, 0))
    assert cpu.shapes == []
    assert pool.status().out_of_memory_splits > 0
    assert pool.status().state == "ready"


def test_single_text_too_long_for_the_gpu_goes_through_the_cpu_and_the_rest_does_not() -> None:
    gpu, cpu = TokenDevice("cuda:0", memory_tokens=40), TokenDevice()
    rows = [*ROWS, list(range(1, 60))]
    pool = pool_over(gpu, cpu)
    require_all_right(rows, pool.run(rows, 0))
    assert cpu.shapes == [(1, 60)]
    assert pool.status().device == "cuda:0"


def test_text_too_long_for_the_cpu_ends_with_an_error_that_says_so() -> None:
    with pytest.raises(MemoryError, match="single text"):
        pool_over(None, TokenDevice(memory_tokens=8)).run([list(range(1, 60))], 0)


@pytest.mark.parametrize("lost_after", [0, 1, 2, 3])
def test_lost_gpu_is_replaced_by_the_cpu_in_mid_run_without_losing_a_text(lost_after: int) -> None:
    gpu, cpu = TokenDevice("cuda:0"), TokenDevice()
    gpu.lost_after = lost_after
    pool = pool_over(gpu, cpu)
    require_all_right(ROWS, pool.run(ROWS, 0))
    assert all(rows * width <= 32 for rows, width in cpu.shapes)
    status = pool.status()
    assert (status.state, status.device) == ("degraded", "cpu")
    assert "the GPU failed: CUDA error" in status.detail
    assert gpu.closed


def test_gpu_is_tried_again_after_a_while_and_taken_when_it_works() -> None:
    broken, mended, cpu, clock = (
        TokenDevice("cuda:0"),
        TokenDevice("cuda:0"),
        TokenDevice(),
        Clock(),
    )
    broken.lost_after = 0
    gpus: list[TokenDevice | Exception] = [broken, DeviceLost("still away"), mended]

    def open_gpu() -> Device:
        found = gpus.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    pool = DevicePool(open_gpu, lambda: cpu, SETTINGS, clock)
    pool.run(ROWS, 0)
    for now, device, left in ((30.0, "cpu", 2), (61.0, "cpu", 1), (90.0, "cpu", 1),
                              (130.0, "cuda:0", 0)):  # fmt: skip
        clock.now = now
        require_all_right(ROWS, pool.run(ROWS, 0))
        assert (pool.status().device, len(gpus)) == (device, left)
    assert pool.status().state == "ready"


def test_gpu_that_cannot_be_opened_degrades_to_the_cpu() -> None:
    def open_gpu() -> Device:
        raise DeviceLost("CUDA error: no kernel image")

    pool = DevicePool(open_gpu, TokenDevice, SETTINGS, Clock())
    require_all_right(ROWS, pool.run(ROWS, 0))
    assert "no kernel image" in pool.status().detail


def test_missing_gpu_is_degraded_only_where_one_was_wanted() -> None:
    wanted = DevicePool(None, TokenDevice, SETTINGS, Clock(), gpu_wanted=True)
    unwanted = DevicePool(None, TokenDevice, SETTINGS, Clock(), gpu_wanted=False)
    assert (wanted.status().state, wanted.status().detail) == ("degraded", "no GPU is present")
    assert unwanted.status().state == "ready"


def test_failure_of_the_cpu_itself_is_not_swallowed() -> None:
    cpu = TokenDevice()
    cpu.lost_after = 0
    with pytest.raises(DeviceLost):
        pool_over(None, cpu).run(ROWS, 0)


def test_hot_gpu_gets_half_batches_a_critical_one_none_and_a_cool_one_all_again() -> None:
    gpu, cpu, clock = TokenDevice("cuda:0"), TokenDevice(), Clock()
    heat = Thermometer(85, 85, 85, 91, 70, 70, 70)
    pool = pool_over(gpu, cpu, clock, heat)
    largest: list[tuple[int, int]] = []
    for round_ in range(7):
        clock.now = 10.0 * round_
        gpu.shapes.clear()
        cpu.shapes.clear()
        require_all_right(ROWS, pool.run(ROWS, 0))
        largest.append(
            tuple(max((r * w for r, w in device.shapes), default=0) for device in (gpu, cpu))  # type: ignore[arg-type]
        )
    assert largest == [(64, 0), (64, 0), (32, 0), (0, 32), (0, 32), (0, 32), (64, 0)]


def test_gpu_is_read_no_more_often_than_asked() -> None:
    heat = Thermometer(60, 60)
    clock = Clock()
    pool = pool_over(TokenDevice("cuda:0"), TokenDevice(), clock, heat)
    for clock.now in (0.0, 1.0, 4.9, 5.0, 9.9):
        pool.run(ROWS[:2], 0)
    assert heat.temperatures == []
    assert pool.status().gpu == reading(60)


def test_close_gives_every_device_back() -> None:
    gpu, cpu = TokenDevice("cuda:0", memory_tokens=40), TokenDevice()
    pool = pool_over(gpu, cpu)
    pool.run([list(range(1, 60))], 0)
    pool.close()
    assert gpu.closed
    assert cpu.closed


@pytest.mark.parametrize(
    ("readings", "pace"),
    [
        ([83, 83], Pace.FULL),
        ([83, 83, 83], Pace.HALVED),
        ([83, 82, 83, 83], Pace.FULL),
        ([90], Pace.PAUSED),
        ([90, 80, 80, 80], Pace.PAUSED),
        ([90, 78, 78, 78], Pace.FULL),
        ([85, 85, 85, 78, 78, 79, 78, 78], Pace.HALVED),
        ([85, 85, 85, 78, 78, 78], Pace.FULL),
    ],
)
def test_thermal_guard_changes_pace_only_on_readings_in_a_row(
    readings: list[int], pace: Pace
) -> None:
    guard = ThermalGuard()
    for temperature in readings:
        guard.observe(reading(temperature))
    assert guard.pace is pace


def test_thermal_throttling_counts_as_heat_whatever_the_thermometer_says() -> None:
    guard = ThermalGuard()
    for _ in range(3):
        guard.observe(reading(60, throttled=True))
    assert guard.pace is Pace.HALVED
