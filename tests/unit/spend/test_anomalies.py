"""What is far from what it was, and what is not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from streams.spend.anomalies import CompleteMonths, anomalies_in, anomaly_in, median
from streams.spend.periods import months_after
from streams.spend.policy import AnomalyPolicy

POLICY = AnomalyPolicy()
MONTHS = [months_after(date(2025, 12, 1), back) for back in range(-11, 1)]


def judged(*amounts: str) -> object:
    """The anomaly of the last of these months."""
    months = MONTHS[-len(amounts) :]
    series = {month: Decimal(one) for month, one in zip(months, amounts, strict=True) if one != "-"}
    return anomaly_in(series, months[-1], MONTHS, POLICY)


@pytest.mark.parametrize(
    ("amounts", "method"),
    [
        (("300", "310", "290", "300", "305", "900"), "median"),
        (("300", "310", "290", "300", "305", "0"), "median"),
        (("300", "310", "290", "300", "305", "-"), "median"),
        (("300", "310", "9000", "300", "305", "900"), "median"),
        (("300", "300", "300", "300", "300", "400.01"), "median"),
        (("300", "451"), "previous month"),
        (("-300", "300"), "previous month"),
    ],
)
def test_an_amount_far_from_the_others_is_an_anomaly(amounts: tuple[str, ...], method: str) -> None:
    found = judged(*amounts)
    assert getattr(found, "method", None) == method


@pytest.mark.parametrize(
    "amounts",
    [
        ("300",),
        ("300", "450"),
        ("150", "249"),
        ("300", "300", "300", "300", "300", "400"),
        ("100", "500", "300", "500", "100", "700"),
        ("1", "1", "1", "1", "1", "90"),
    ],
)
def test_what_is_usual_or_small_or_without_past_is_none(amounts: tuple[str, ...]) -> None:
    assert judged(*amounts) is None


def test_months_that_are_not_complete_are_no_past() -> None:
    series = {MONTHS[-3]: Decimal(500), MONTHS[-2]: Decimal(1), MONTHS[-1]: Decimal(500)}
    complete = [MONTHS[-3], MONTHS[-1]]
    assert anomaly_in(series, MONTHS[-1], complete, POLICY) is None


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    assert median([Decimal(4), Decimal(1), Decimal(2), Decimal(9)]) == 3


def test_a_month_known_by_imports_is_complete_for_the_accounts_in_it() -> None:
    usual = {month: Decimal(300) for month in MONTHS[:-1]}
    series = {
        ("1", "EC2", "USD"): usual | {MONTHS[-1]: Decimal(900)},
        ("2", "EC2", "USD"): usual,
        ("3", "EC2", "USD"): usual,
        ("3", "S3", "USD"): {MONTHS[-1]: Decimal(1)},
    }
    found = anomalies_in(series, CompleteMonths((), MONTHS), POLICY)
    assert {place[:2] for place in found} == {("1", "EC2"), ("3", "EC2")}, "2 is not in the import"
    found = anomalies_in(series, CompleteMonths(MONTHS), POLICY)
    assert {place[0] for place in found} == {"1", "2", "3"}
    assert anomalies_in(series, CompleteMonths(()), POLICY) == {}
