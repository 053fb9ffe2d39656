"""The second sample: Dynamics 365 Sales and Partner Center of a cloud reseller, with known truth."""

from deploy.sample.csp.labels import APART, ASK, HOLD, TRANSACT, LabelledDeal
from deploy.sample.csp.world import CspWorld

__all__ = ["APART", "ASK", "HOLD", "TRANSACT", "CspWorld", "LabelledDeal"]
