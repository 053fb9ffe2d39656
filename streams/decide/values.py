"""The values that rules compare: their types, how they are read from core fields, how they look.

Money and ratios are `Decimal`, days are `int`, dates are calendar dates of the tenant's time zone
(RULE-3). What is not known is an `Unknown` with its reason, never None and never zero (RULE-2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NoReturn, cast
from zoneinfo import ZoneInfo

Known = str | bool | int | Decimal | date | datetime | tuple[str, ...]


class ValueType(StrEnum):
    """The type of a fact or of a parameter."""

    TEXT = "text"
    CHOICE = "choice"
    MONEY = "money"
    NUMBER = "number"
    RATIO = "ratio"
    DAYS = "days"
    DATE = "date"
    MOMENT = "moment"
    FLAG = "flag"
    TEXTS = "texts"


_QUANTA = tuple(Decimal(1).scaleb(-decimals) for decimals in range(13))

ORDERED = frozenset(
    {
        ValueType.MONEY,
        ValueType.NUMBER,
        ValueType.RATIO,
        ValueType.DAYS,
        ValueType.DATE,
        ValueType.MOMENT,
    }
)

STEPS: Mapping[ValueType, Decimal | int] = {
    ValueType.MONEY: Decimal("0.01"),
    ValueType.RATIO: Decimal("0.0001"),
    ValueType.DAYS: 1,
}
"""The smallest change of a value that a person can make or see."""


class Missing(StrEnum):
    """Why a fact is not known."""

    ABSENT = "absent"
    """The source holds nothing."""
    INCOMPLETE = "incomplete"
    """The source or the month is not loaded yet: absence says nothing (guarantee 7)."""
    NOT_UNDERSTOOD = "not_understood"
    """The source holds something that no list or type knows."""
    NOT_COMPUTABLE = "not_computable"
    """It cannot be computed from what is there: no exchange rate, a division by zero."""


class UnknownTouched(Exception):  # noqa: N818 - an unknown was compared; the exact way must decide
    """An unknown fact was compared where only known ones can be."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that is not known, and why. `detail` tells a person what is missing and where.

    It refuses to be ordered: the fast way of judging stumbles here and leaves to the exact one.
    """

    missing: Missing
    detail: str

    def _refuse(self, _other: object) -> NoReturn:
        raise UnknownTouched(self.detail)

    __lt__ = __le__ = __gt__ = __ge__ = _refuse


Value = Known | Unknown


def read_value(
    kind: ValueType, raw: Any, *, zone: ZoneInfo, decimals: int | None = None
) -> Value | None:
    """The typed value of a JSON value; None where there is none; `Unknown` where it is unreadable.

    A `date` may be given as a moment: it is the calendar date in `zone`. `decimals` rounds numbers
    half up (RULE-R4.1).
    """
    if raw is None or raw in ("", []):
        return None
    try:
        return _READERS[kind](raw, zone, decimals)
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        return Unknown(Missing.NOT_UNDERSTOOD, f"{raw!r:.80} is not a {kind}")


def _text(raw: Any, _zone: ZoneInfo, _decimals: int | None) -> Known | None:
    return str(raw).strip() or None  # type: ignore[return-value]


def _number(raw: Any, _zone: ZoneInfo, decimals: int | None) -> Known:
    if isinstance(raw, bool):
        raise TypeError("a flag is no number")
    value = raw if isinstance(raw, Decimal) else Decimal(str(raw))
    if not value.is_finite():
        raise ValueError("not a finite number")
    return value if decimals is None else rounded(value, decimals)


def _days(raw: Any, _zone: ZoneInfo, _decimals: int | None) -> Known:
    value = Decimal(str(raw))
    if value != value.to_integral_value():
        raise ValueError("days are whole")
    return int(value)


def _date(raw: Any, zone: ZoneInfo, _decimals: int | None) -> Known:
    if isinstance(raw, datetime):
        return raw.astimezone(zone).date()
    if isinstance(raw, date):
        return raw
    text = str(raw).strip()
    if len(text) <= 10:
        return date.fromisoformat(text)
    if text.endswith("Z") and len(text) == 11:  # a date as some change captures write it
        return date.fromisoformat(text[:-1])
    return _moment(text, zone, None).astimezone(zone).date()


def _moment(raw: Any, _zone: ZoneInfo, _decimals: int | None) -> datetime:
    moment = raw if isinstance(raw, datetime) else datetime.fromisoformat(str(raw).strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _flag(raw: Any, _zone: ZoneInfo, _decimals: int | None) -> Known:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().casefold()
    if text in {"true", "yes", "y", "t", "1"}:
        return True
    if text in {"false", "no", "n", "f", "0"}:
        return False
    raise ValueError("not a yes or no")


def _texts(raw: Any, _zone: ZoneInfo, _decimals: int | None) -> Known:
    if isinstance(raw, str):
        return (raw,)
    return tuple(str(one) for one in cast(list[Any], raw))


_READERS = {
    ValueType.TEXT: _text,
    ValueType.CHOICE: _text,
    ValueType.MONEY: _number,
    ValueType.NUMBER: _number,
    ValueType.RATIO: _number,
    ValueType.DAYS: _days,
    ValueType.DATE: _date,
    ValueType.MOMENT: _moment,
    ValueType.FLAG: _flag,
    ValueType.TEXTS: _texts,
}


def rounded(value: Decimal, decimals: int) -> Decimal:
    """`value` with that many decimals, halves away from zero."""
    return value.quantize(_QUANTA[decimals], rounding=ROUND_HALF_UP)


def write_value(value: Known) -> Any:
    """The JSON form of a value, from which `read_value` gives it back."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a moment is a date too
        return value.isoformat()
    return value


def show_value(value: Known, unit: str = "") -> str:
    """How a person reads a value: 4,999.99 USD, 12 days, 2026-11-20, yes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return show_decimal(value, unit)
    if isinstance(value, int):
        return f"1 {unit[:-1]}" if value == 1 and unit.endswith("s") else f"{value} {unit}".rstrip()
    if isinstance(value, tuple):
        return ", ".join(value) if value else "none"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return value.isoformat()


def show_decimal(value: Decimal, unit: str = "", limits: Collection[Decimal] | None = None) -> str:
    """A number with thousands marks; money (three capitals) with two decimals at least.

    Beside the `limits` that it may be held against, money is rounded to cents. Only what is shown is
    rounded, never what is compared (RULE-3): a figure that would round to a limit keeps its decimals.
    """
    if len(unit) != 3 or not unit.isupper():
        text = f"{value:,f}"
        return f"{text} {unit}" if unit else text
    cents = rounded(value, 2)
    if cents == value or (limits is not None and cents not in limits):
        return f"{cents:,.2f} {unit}"
    return f"{value.normalize():,f} {unit}"
