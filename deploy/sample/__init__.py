"""Synthetic sources: a CRM and an APN database with known truth, a day of changes, and deals to match."""

from deploy.sample.day import DayPlan, plan_day
from deploy.sample.execute import CommitReport, run_day
from deploy.sample.expected import Judge, Verdict
from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.labels import LabelledPair, Scenario
from deploy.sample.load import CreatedSources, SourcesExistError, create_sources, drop_sources
from deploy.sample.transactions import Expectation, Transaction
from deploy.sample.vocabulary import FREE_MAIL_DOMAINS, PARTNER_DOMAINS, SHARED_HOSTS

__all__ = [
    "FREE_MAIL_DOMAINS",
    "PARTNER_DOMAINS",
    "SHARED_HOSTS",
    "CommitReport",
    "CreatedSources",
    "DayPlan",
    "Expectation",
    "Judge",
    "LabelledPair",
    "SampleSize",
    "SampleWorld",
    "Scenario",
    "SourcesExistError",
    "Transaction",
    "Verdict",
    "create_sources",
    "drop_sources",
    "plan_day",
    "run_day",
]
