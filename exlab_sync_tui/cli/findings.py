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
    for finding, following in zip(shown, [*shown[1:], None], strict=False):
        where = "the run's own path" if finding.offending_path == "." else safe_text(finding.offending_path)
        lifted = ", lifted by an override" if finding.override_active else ""
        put(f"    {finding.rule.value} ({finding.tier.value}{lifted}) at {where}: {safe_text(finding.rule_detail)}")
        is_last = following is None or advice(following) != advice(finding)
        if is_last and not finding.override_active:
            put(f"      {advice(finding)}")
    if len(findings) > _SHOWN:
        put(f"    and {len(findings) - _SHOWN:,} more; --json lists all of them")


def put_advice(findings: Sequence[Finding]) -> None:
    """Only what to do, each way out once."""
    ways = list(dict.fromkeys(advice(finding) for finding in findings))
    for way in ways[:_SHOWN]:
        put(f"    {way}")
    if len(ways) > _SHOWN:
        put(f"    and {len(ways) - _SHOWN:,} more; `exlab-sync check PATH --json` lists all of them")
