"""A share of the rows, for those who start the same batch on several machines.

Row r of the input is in share ((r - 1) mod n) + 1. So the shares are disjoint and complete, no two differ by more than
one row. A row that is edited stays in its share; one that is put in before others moves them.
"""

import re
from dataclasses import dataclass
from typing import Final

from hfgen.errors import UsageError

_WRITTEN: Final = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares.

    Attributes:
        index: Which, from 1.
        of: How many there are.
    """

    index: int = 1
    of: int = 1

    @classmethod
    def parse(cls, written: str) -> "Shard":
        """Read `i/n`.

        Raises:
            UsageError: It is not in that form, or i is not between 1 and n.
        """
        found = _WRITTEN.fullmatch(written.strip())
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"--shard {written!r}: write i/n with i from 1 to n, such as 1/4")
        return cls(int(found[1]), int(found[2]))

    def has(self, row: int) -> bool:
        """Whether a row is in this share."""
        return (row - 1) % self.of == self.index - 1
