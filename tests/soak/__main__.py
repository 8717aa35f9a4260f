"""``python -m tests.soak``: months of shop days in minutes, with everything going wrong.

The full figure: ``python -m tests.soak --days 10 --visits 54 --faults 520 --out soak.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.faults import FAULTS
from tests.soak.run import Plan, document, soak

_GROWTH_AT_MOST = 0.02


def main() -> int:
    """Print the figures; 1 where anything was lost, doubled or wrong, or anything grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--visits", type=int, default=54, help="a day")
    parser.add_argument("--faults", type=int, default=520)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--calm-from", type=float, default=0.3)
    parser.add_argument("--kind", action="append", choices=sorted(FAULTS), help="only these")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    plan = Plan(
        days=asked.days,
        visits_a_day=asked.visits,
        faults=asked.faults,
        calm_from=asked.calm_from,
        seed=asked.seed,
        kinds=tuple(asked.kind or FAULTS),
    )
    began_s = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="walkout-soak-") as scratch:
        account = soak(Path(scratch), plan, tell)
    text = json.dumps(document(account), indent=2)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")
    bad = account.lost + account.doubled + account.wrong + account.asked_for_nothing
    grew = account.memory_growth >= _GROWTH_AT_MOST or account.files_growth > 0
    return int(bad > 0 or grew or account.visits != account.receipts)


if __name__ == "__main__":
    sys.exit(main())
