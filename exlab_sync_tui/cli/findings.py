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


def put_findings(findings: Sequence[Finding], *, can_override: bool) -> None:
    """Each finding with what to do about it; *can_override* as in ``advice``."""
    shown = findings[:_SHOWN]
    ways = [advice(finding, can_override=can_override) for finding in shown]
    for number, (finding, way) in enumerate(zip(shown, ways, strict=True)):
        where = "the run's own path" if finding.offending_path == "." else safe_text(finding.offending_path)
        lifted = ", lifted by an override" if finding.override_active else ""
        put(f"    {finding.rule.value} ({finding.tier.value}{lifted}) at {where}: {safe_text(finding.rule_detail)}")
        if ways[number + 1 : number + 2] != [way] and not finding.override_active:
            put(f"      {way}")
    if len(findings) > _SHOWN:
        put(f"    and {len(findings) - _SHOWN:,} more; --json lists all of them")


def put_advice(findings: Sequence[Finding], *, can_override: bool) -> None:
    """Only what to do, each way out once."""
    ways = list(dict.fromkeys(advice(finding, can_override=can_override) for finding in findings))
    for way in ways[:_SHOWN]:
        put(f"    {way}")
    if len(ways) > _SHOWN:
        put(f"    and {len(ways) - _SHOWN:,} more; `exlab-sync check PATH --json` lists all of them")
