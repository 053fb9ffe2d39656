"""Readings of an NVIDIA GPU through NVML, where its library is there (GPU-1)."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from connectors.encoders.port import GpuSample


class GpuMonitor(Protocol):
    """Something that reads a GPU."""

    def sample(self) -> GpuSample | None:
        """A reading, or None where the GPU cannot be read (any more)."""
        ...


class NvmlMonitor:
    """Reads one GPU, named by the UUID that torch gives (CUDA_VISIBLE_DEVICES renumbers indices)."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle

    @classmethod
    def of(cls, uuid: str) -> NvmlMonitor | None:
        """The monitor of a GPU; None without the package `nvidia-ml-py` or without a driver."""
        try:
            nvml = importlib.import_module("pynvml")
        except ModuleNotFoundError:
            return None
        try:
            nvml.nvmlInit()
            name = uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
            return cls(nvml, nvml.nvmlDeviceGetHandleByUUID(name))
        except nvml.NVMLError:
            return None

    def sample(self) -> GpuSample | None:
        nvml = self._nvml
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
            return GpuSample(
                utilisation=nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100,
                memory_used=int(memory.used),
                memory_total=int(memory.total),
                temperature=nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU),
                throttled=self._throttled(),
            )
        except nvml.NVMLError:
            return None

    def _throttled(self) -> bool:
        """Whether heat slows the clocks; power limits are the normal state of a busy GPU."""
        nvml = self._nvml
        reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle)
        heat = (
            nvml.nvmlClocksThrottleReasonSwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwThermalSlowdown
        )
        return bool(reasons & heat)
