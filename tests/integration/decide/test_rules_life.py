"""Rule versions on real PostgreSQL: activated, live at once, rolled back, one version a decision."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connectors.postgres.decision_history import History
from connectors.postgres.pool import connection, transaction
from connectors.postgres.rule_versions import VersionConflict, list_versions
from schemas import topics
from streams.decide.documents import Document, RulesRefusedError
from streams.decide.rule_files import EffectiveRules, effective_rules
from tests.integration.decide.world import NOW, World
from workers.rule_cache import activate, file_rules, pack_document, tenant_rules
from workers.rules_desk import Desk, UnknownRules
from workers.simulating import simulate_history


def rules(**overrides: object) -> EffectiveRules:
    overlays = [Document("draft.yaml", {"overrides": overrides})] if overrides else []
    return effective_rules(pack_document("pod"), overlays)


async def activated(world: World, effective: EffectiveRules, expected: int | None = None) -> int:
    context = world.database.context("cli", as_of=NOW)
    async with transaction(world.pool) as writing:
        return await activate(
            writing,
            context.outbox,
            context.clock,
            tenant="home",
            effective=effective,
            author="ann",
            expected=expected,
        )


async def test_a_version_judges_from_its_activation_on_in_a_worker_that_runs(world: World) -> None:
    worker = world.processor()
    await world.approvable_pair(spend="6000")
    await world.lead(eur_status=None)  # keeps the pair in review once it is not rejected
    await world.process(await world.match(), processor=worker)
    assert await activated(world, rules(spend_threshold=10000, reevaluate_rejected=True)) == 2
    assert len(await world.decisions()) == 1  # past decisions stay (WF-9)
    await world.process(await world.spend("6000.01"), processor=worker)
    first, second = await world.decisions()
    assert (first["outcome"], first["rule_set_version"]) == ("auto_reject", "1")
    assert (second["outcome"], second["rule_set_version"]) == ("needs_review", "2")
    events = await world.sent(topics.CONFIG_RULES)
    assert [one["version"] for one in events] == [2]  # a state topic keeps the newest
    audited = await world.sent(topics.AUDIT_EVENT)
    assert [one["action"] for one in audited] == ["rules.activated", "rules.activated"]


async def test_equal_rules_make_no_new_version(world: World) -> None:
    assert await activated(world, rules()) == 1
    assert await activated(world, rules()) == 1


async def test_refused_rules_leave_the_active_ones(world: World) -> None:
    await activated(world, rules())
    with pytest.raises(RulesRefusedError, match="spend_threshold"):
        await activated(world, rules(spend_treshold=1))
    async with connection(world.pool) as reading:
        [only] = await list_versions(reading, "home", "pod")
    assert only.active


async def test_of_two_activations_at_once_each_gets_its_own_number_and_one_is_active(
    world: World,
) -> None:
    numbers = await asyncio.gather(
        *(activated(world, rules(spend_threshold=limit)) for limit in (1, 2, 3, 4))
    )
    assert sorted(numbers) == [1, 2, 3, 4]
    async with connection(world.pool) as reading:
        versions = await list_versions(reading, "home", "pod")
    assert [one.version for one in versions if one.active] == [4]
    with pytest.raises(VersionConflict):
        await activated(world, rules(spend_threshold=9), expected=3)


async def test_a_roll_back_brings_older_rules_under_a_new_number(world: World) -> None:
    await activated(world, rules())
    await activated(world, rules(spend_threshold=1))
    desk = Desk(Path("nowhere"), "home", "pod")
    old = await desk.named(world.pool, "1")
    assert await activated(world, old) == 3
    async with connection(world.pool) as reading:
        newest, _, first = await list_versions(reading, "home", "pod")
    assert newest.hash == first.hash
    with pytest.raises(UnknownRules, match="no version 9"):
        await desk.named(world.pool, "9")


async def test_a_simulation_over_stored_decisions_has_no_effect(world: World) -> None:
    await world.process(await world.approvable_pair(spend="3000"))
    before = await world.decisions()
    found = await simulate_history(
        world.pool, History("home", "pod"), rules().body, rules(spend_threshold=2000).body
    )
    assert found.moves == {"auto_approve -> auto_reject": 1}
    assert found.not_reproduced == 0
    assert await world.decisions() == before


async def test_a_long_history_is_simulated_by_several_processes(world: World) -> None:
    await world.process(await world.approvable_pair(spend="100"))
    for spend in ("900", "1500", "2500", "3500"):
        await world.process(await world.spend(spend))
    history = History("home", "pod", newest=False)
    bodies = rules().body, rules(spend_threshold=2000).body
    alone = await simulate_history(world.pool, history, *bodies)
    heard: list[tuple[int, int]] = []
    shared = await simulate_history(
        world.pool,
        history,
        *bodies,
        processes=2,
        page_size=2,
        on_progress=lambda done, total: heard.append((done, total)),
    )
    assert alone.judged > 2
    assert 0 < alone.flipped < alone.judged
    assert shared.to_json() == alone.to_json()
    assert heard[0] == (0, alone.judged)
    assert heard[-1] == (alone.judged, alone.judged)


def test_a_tenant_s_files_make_its_rules_and_every_value_knows_its_line(tmp_path: Path) -> None:
    (tmp_path / "customers").mkdir()
    (tmp_path / "tenants").mkdir()
    (tmp_path / "pod_rules.yaml").write_text(
        "extends: pack:pod\npod_rules:\n  spend_threshold: 7000\n"
    )
    (tmp_path / "customers" / "home.yaml").write_text(
        "extends: pod_rules.yaml\noverrides:\n  fuzzy_threshold: 0.95\n"
    )
    (tmp_path / "tenants" / "home.yaml").write_text(
        "tenant: home\npacks:\n  pod:\n    rules:\n      tie_margin: 0.03\n"
    )
    mine = tenant_rules(tmp_path, "home", "pod", {"tie_margin": 0.03})
    origins = mine.origins()
    assert origins["parameters.spend_threshold.value"] == "pod_rules.yaml:3"
    assert origins["parameters.fuzzy_threshold.value"] == "customers/home.yaml:3"
    assert origins["parameters.tie_margin.value"] == "tenants/home.yaml:5"
    other = tenant_rules(tmp_path, "second", "pod")
    assert other.document.parameters["spend_threshold"].value == 7000
    draft = tmp_path / "customers" / "home.yaml"
    assert file_rules(draft, None, tmp_path).document.parameters["spend_threshold"].value == 7000
