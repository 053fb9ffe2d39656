"""Synthetic sources: a CRM and an APN database with known truth, a day of changes, and deals to match."""

from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.vocabulary import FREE_MAIL_DOMAINS, PARTNER_DOMAINS, SHARED_HOSTS

__all__ = ["FREE_MAIL_DOMAINS", "PARTNER_DOMAINS", "SHARED_HOSTS", "SampleSize", "SampleWorld"]
