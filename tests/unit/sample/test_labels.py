"""The truth that goes with the sample: scenarios, slices, and an independent recomputation of both."""

from collections import Counter
from decimal import Decimal

from deploy.sample.expected import Judge
from deploy.sample.generate import SampleWorld
from deploy.sample.labels import OUTCOMES

HARD_SLICES = {
    "several_deals",
    "same_company_other_deal",
    "sibling_company",
    "shared_host",
    "free_mail",
    "renamed_company",
    "merged_lead",
    "duplicate_company",
    "special_characters",
    "short_name",
    "non_latin",
    "alias",
    "own_company",
    "person_only",
    "no_partner",
    "other_leads_id",
    "sale_order_as_id",
    "misspelt_account",
    "public_sector",
    "closed",
    "ace_only",
}


def test_every_scenario_has_a_labelled_pair(world: SampleWorld) -> None:
    named = {pair.scenario for pair in world.pairs if pair.scenario}
    assert named == set(world.scenario_by_name)


def test_scenarios_cover_every_row_of_the_outcome_table(world: SampleWorld) -> None:
    assert {scenario.decision_row for scenario in world.scenarios} == set(range(1, 11))
    assert {scenario.outcome for scenario in world.scenarios} == set(OUTCOMES)


def test_scenarios_come_to_their_outcome_by_an_independent_judge(
    world: SampleWorld, judge: Judge
) -> None:
    for pair in world.pairs:
        if pair.scenario is None or not pair.is_match:
            continue
        scenario = world.scenario_by_name[pair.scenario]
        verdict = judge.verdict(
            pair.odoo_id, pair.apn_id, confidence=scenario.rules.get("R4", "pass")
        )
        assert verdict.outcome == scenario.outcome, pair
        assert {rule: verdict.rules[rule] for rule in scenario.rules} == dict(scenario.rules), pair
        assert pair.accepts == {scenario.outcome}


def test_outcomes_are_mixed_as_a_demonstration_needs(world: SampleWorld) -> None:
    outcomes = Counter(
        world.scenario_by_name[pair.scenario].outcome for pair in world.pairs if pair.scenario
    )
    assert min(outcomes.values()) >= 36


def test_spend_scenarios_are_exact_to_the_cent(world: SampleWorld, judge: Judge) -> None:
    def spends(scenario: str) -> set[Decimal | None]:
        return {judge.spend(pair.odoo_id) for pair in world.pairs if pair.scenario == scenario}

    assert spends("reject_spend_5000_00") == {Decimal("5000.00")}
    assert spends("approve_spend_4999_99") == {Decimal("4999.99")}
    assert spends("approve_spend_zero") == {Decimal(0)}
    assert spends("approve_spend_negative") == {Decimal("-212.40")}
    assert spends("review_no_account") == {None}


def test_every_hard_slice_has_labelled_pairs(world: SampleWorld) -> None:
    assert {pair.slice for pair in world.pairs} >= HARD_SLICES


def test_pairs_are_labelled_once_and_name_rows_that_exist(world: SampleWorld) -> None:
    aces = {row["apn_id"] for row in world.apn["apn_opportunity"].values()}
    keys = [(pair.odoo_id, pair.apn_id) for pair in world.pairs]
    assert len(set(keys)) == len(keys)
    for pair in world.pairs:
        assert pair.apn_id in aces
        assert pair.odoo_id in world.odoo["crm_lead"] or pair.slice == "ace_only"
        assert pair.accepts <= set(OUTCOMES)
        assert pair.accepts


def test_false_pairs_share_a_company_with_an_opportunity_but_are_not_its_pair(
    world: SampleWorld,
) -> None:
    true = {(pair.odoo_id, pair.apn_id) for pair in world.true_pairs}
    false = {(p.odoo_id, p.apn_id) for p in world.pairs if not p.is_match and p.odoo_id}
    assert len(false) >= 50
    assert not true & false


def test_scenario_names_are_unlike_one_another(world: SampleWorld) -> None:
    """An accidental look-alike would make a certain outcome uncertain."""
    names = Counter(
        world.odoo["crm_lead"][pair.odoo_id]["partner_name"]
        for pair in world.pairs
        if pair.scenario and pair.is_match
    )
    assert max(names.values()) == 1
