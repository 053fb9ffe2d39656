"""What commands on stored things share."""

from __future__ import annotations

import getpass

import pytest

from workers.cli.platform import acting_person


def test_deeds_are_recorded_under_the_given_name_or_the_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REVOPS_ACTOR", "ada")
    assert acting_person() == "ada"
    monkeypatch.delenv("REVOPS_ACTOR")
    assert acting_person() == getpass.getuser()
