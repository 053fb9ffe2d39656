"""How hard a GPU may be driven, judged from readings of its heat (GPU-2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from connectors.encoders.port import GpuSample


class Pace(StrEnum):
    """What the GPU is given: everything, half batches, or nothing until it has cooled."""

    FULL = "full"
    HALVED = "halved"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class ThermalLimits:
    """Degrees Celsius and how many readings in a row it takes to change the pace."""

    hot: int = 83
    critical: int = 90
    cooled: int = 78
    readings: int = 3


@dataclass(slots=True)
class ThermalGuard:
    """Turns readings into a pace.

    Heat at or over `hot`, or a thermal throttle reason, in `readings` readings in a row halves the
    batches; one reading at or over `critical` pauses the GPU at once. The pace returns to full after
    `readings` readings in a row at or under `cooled` without throttling: heat that comes and goes
    does not make it flutter.
    """

    limits: ThermalLimits = field(default_factory=ThermalLimits)
    pace: Pace = Pace.FULL
    _hot_in_a_row: int = 0
    _cool_in_a_row: int = 0

    def observe(self, sample: GpuSample) -> Pace:
        """The pace after one more reading."""
        limits = self.limits
        hot = sample.throttled or sample.temperature >= limits.hot
        cool = not sample.throttled and sample.temperature <= limits.cooled
        self._hot_in_a_row = self._hot_in_a_row + 1 if hot else 0
        self._cool_in_a_row = self._cool_in_a_row + 1 if cool else 0
        if sample.temperature >= limits.critical:
            self.pace = Pace.PAUSED
        elif self._cool_in_a_row >= limits.readings:
            self.pace = Pace.FULL
        elif self._hot_in_a_row >= limits.readings and self.pace is Pace.FULL:
            self.pace = Pace.HALVED
        return self.pace
