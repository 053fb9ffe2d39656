"""Products as they are billed and as the catalogue calls them (BILL-6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from streams.spend.amounts import COST, Amount

UNMAPPED = "unmapped"


@dataclass(frozen=True)
class ProductMap:
    """The catalogue's code for every code that is billed. `catalogue` are the codes that invoices use."""

    renamed: Mapping[str, str]
    catalogue: Collection[str]

    def code(self, ledger: str, billed: str) -> str:
        """The code to compare by; a cost that no product of the catalogue stands for is `unmapped`."""
        code = self.renamed.get(billed, billed)
        if not code or (ledger == COST and code not in self.catalogue):
            return UNMAPPED
        return code

    def mapped(self, amounts: Iterable[Amount]) -> list[Amount]:
        """The amounts under the catalogue's codes; none is lost."""
        return [replace(one, key=self.code(one.ledger, one.key)) for one in amounts]
