"""Synthetic sources: a CRM and an APN database with known truth, a day of changes, and deals to match."""

from deploy.sample.change_stream import change_stream
from deploy.sample.cost_report import cost_rows
from deploy.sample.day import DayPlan, plan_day
from deploy.sample.deal_pairs import DealPairs, deal_pairs
from deploy.sample.execute import CommitReport, run_day, run_transaction
from deploy.sample.expected import Judge, Verdict
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.labels import LabelledPair, Scenario
from deploy.sample.load import (
    CreatedSources,
    SourcesExistError,
    append_cost_rows,
    create_sources,
    drop_sources,
)
from deploy.sample.transactions import Expectation, Transaction
from deploy.sample.vocabulary import FREE_MAIL_DOMAINS, PARTNER_DOMAINS, SHARED_HOSTS

__all__ = [
    "FREE_MAIL_DOMAINS",
    "PARTNER_DOMAINS",
    "SHARED_HOSTS",
    "CommitReport",
    "CreatedSources",
    "DayPlan",
    "DealPairs",
    "Expectation",
    "Judge",
    "LabelledPair",
    "SampleSize",
    "SampleWorld",
    "Scenario",
    "SourcesExistError",
    "Transaction",
    "Verdict",
    "append_cost_rows",
    "change_stream",
    "cost_rows",
    "create_sources",
    "deal_pairs",
    "drop_sources",
    "plan_day",
    "run_day",
    "run_transaction",
]
