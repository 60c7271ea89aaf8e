"""How are the gate's findings shown, and what can be done about each?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.cli.output import put
from exlab_sync_tui.gate.advice import advice
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.model.finding import Finding

_SHOWN = 10


def put_findings(findings: Sequence[Finding]) -> None:
    """Each finding with what to do about it."""
    shown = findings[:_SHOWN]
    ways = [advice(finding) for finding in shown]
    for number, (finding, way) in enumerate(zip(shown, ways, strict=True)):
        where = "the run's own path" if finding.offending_path == "." else safe_text(finding.offending_path)
        rule = f"{finding.rule.value} ({finding.tier.value}{_marks(finding)})"
        put(f"    {rule} at {where}: {safe_text(finding.rule_detail)}")
        settled = finding.override_active or finding.synced_under_prior_policy
        if ways[number + 1 : number + 2] != [way] and not settled:
            put(f"      {way}")
    if len(findings) > _SHOWN:
        put(f"    and {len(findings) - _SHOWN:,} more; --json lists all of them")


def _marks(finding: Finding) -> str:
    lifted = ", lifted by an override" if finding.override_active else ""
    return f"{lifted}, synced under a prior policy" if finding.synced_under_prior_policy else lifted


def put_advice(findings: Sequence[Finding]) -> None:
    """Only what to do, each way out once."""
    ways = list(dict.fromkeys(advice(finding) for finding in findings))
    for way in ways[:_SHOWN]:
        put(f"    {way}")
    if len(ways) > _SHOWN:
        put(f"    and {len(ways) - _SHOWN:,} more; `exlab-sync check PATH --json` lists all of them")
