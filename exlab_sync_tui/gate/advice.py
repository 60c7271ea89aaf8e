"""What can be done about this finding?"""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

from exlab_sync_tui.gate.rules import name_objections
from exlab_sync_tui.model.finding import Finding, OffendingKind, Rule, Tier
from exlab_sync_tui.text import safe_text

_BRACKETS = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>|\{[{%]\s*([^{}%]*?)\s*[%}]\}")
_UNWANTED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def advice(finding: Finding) -> str:
    """One sentence that says what to do: repair it, or the override to type. Safe to show."""
    if finding.tier is Tier.SOFT:
        return _SOFT.get(finding.rule, "It does not keep the run here.")
    return f"{_repair(finding)}, or let it pass with `{override_command(finding)}`."


def override_command(finding: Finding) -> str:
    """The command that lifts this rule for this run; ``RUN`` stands in for a path that cannot be typed."""
    shown = safe_text(finding.run_path)
    run = shlex.quote(shown) if shown == finding.run_path else "RUN"
    return f'exlab-sync override add {run} {finding.rule.value} --reason "…"'


def better_name(name: str) -> str:
    """A name close to *name* that the gate has nothing against."""
    better = _UNWANTED.sub("_", _BRACKETS.sub(lambda match: match[1] or match[2] or "_", name)).rstrip(". ")
    if any(objection.rule is Rule.RESERVED_FILESYSTEM_NAME for objection in name_objections(better)):
        stem, dot, rest = better.partition(".")
        better = f"{stem}_{dot}{rest}"
    return better or "_"


def _repair(finding: Finding) -> str:
    if finding.rule is Rule.MODE_PREFIX_MISMATCH:
        return "Move the run to Runs/Run_… or TestRuns/TestRun_…, as its kind demands"
    path = safe_text(finding.offending_path)
    if finding.offending_kind is OffendingKind.FILE_CONTENT:
        return f"Fill in `{safe_text(finding.matched_token)}` in {path}"
    name = _named(finding)
    if not name:
        return "Rename what these findings list"
    where = f"the folder {safe_text(name)}" if finding.offending_path == "." else path
    return f"Rename {where} to {safe_text(better_name(name))}"


def _named(finding: Finding) -> str:
    """The segment that the finding is about; above the run, the nearest one to which the rule objects in this way."""
    if finding.offending_path != ".":
        return finding.offending_path.rpartition("/")[2]
    wanted = (finding.rule, finding.matched_token, finding.rule_detail)
    for segment in reversed(PurePath(finding.run_path).parts[1:]):
        if any((found.rule, found.token, found.detail) == wanted for found in name_objections(segment)):
            return segment
    return ""


_SOFT = {
    Rule.ORPHAN: "Let ExLab-Wizard make the missing creation.json, or use `layout: plain` for folders without one.",
    Rule.MISSING_REQUIRED_FIELD: "Fill the field in with ExLab-Wizard; the run is not kept here for it.",
    Rule.MALFORMED_YAML_FRONT_MATTER: "Repair the lines between the two `---`; the run is not kept here for it.",
    Rule.UNSAFE_PROJECT_NAME: "Rename the project folder when no run of it is on its way.",
}
