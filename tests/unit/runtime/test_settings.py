"""Settings come from the environment, and what is missing is said all at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from workers.reference import settings_groups
from workers.settings import Settings, SettingsMissing, variable

REQUIRED = {
    "REVOPS_DATABASE__DSN": "postgresql://u:p@h/d",
    "REVOPS_KAFKA__BOOTSTRAP_SERVERS": "h:9092",
}

HIDDEN = "not-to-be-shown"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in settings_groups():
        for field in Settings.model_fields[name].annotation.model_fields:  # type: ignore[union-attr]
            monkeypatch.delenv(variable((name, field)), raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    for name, value in (REQUIRED | more).items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_settings_name_every_missing_variable_at_once() -> None:
    with pytest.raises(SettingsMissing) as problem:
        Settings.load()
    assert all(name in str(problem.value) for name in REQUIRED)
    assert ".env.example" in str(problem.value)


def test_settings_name_what_is_missing_and_what_is_wrong_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REVOPS_DATABASE__POOL_SIZE", "0")
    monkeypatch.setenv("REVOPS_WORKER__METRICS_PORT", "high")
    with pytest.raises(SettingsMissing) as problem:
        Settings.load()
    for name in (*REQUIRED, "REVOPS_DATABASE__POOL_SIZE", "REVOPS_WORKER__METRICS_PORT"):
        assert name in str(problem.value)


def test_an_empty_required_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsMissing, match="REVOPS_DATABASE__DSN"):
        load(monkeypatch, REVOPS_DATABASE__DSN="")


def test_problems_never_show_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVOPS_DATABASE__DSN", f"postgresql://u:{HIDDEN}@h/d")
    with pytest.raises(SettingsMissing) as problem:
        Settings.load()
    assert HIDDEN not in str(problem.value)


def test_settings_hide_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, REVOPS_DATABASE__DSN=f"postgresql://u:{HIDDEN}@h/d")
    assert HIDDEN not in repr(settings)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T08:00:00+01:00", datetime(2026, 11, 20, 7, tzinfo=UTC)),
        ("2026-11-20T08:00:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("", None),
    ],
)
def test_clock_is_fixed_by_a_moment_in_utc(
    monkeypatch: pytest.MonkeyPatch, text: str, moment: datetime | None
) -> None:
    assert load(monkeypatch, REVOPS_CLOCK__AS_OF=text).clock.as_of == moment


def test_every_setting_says_what_it_is() -> None:
    undescribed = [
        variable((name, field))
        for name, group in settings_groups()
        for field, info in group.model_fields.items()
        if not info.description
    ]
    assert undescribed == []


def test_every_group_of_settings_is_documented() -> None:
    groups = dict(settings_groups())
    assert set(groups) == set(Settings.model_fields)
    assert all(group.__doc__ and group.__doc__ != BaseModel.__doc__ for group in groups.values())
