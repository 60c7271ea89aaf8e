"""What does the gate object to?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """The nine rules of ``FORMATS.md`` §5."""

    UNRESOLVED_PLACEHOLDER_TOKEN = "unresolved_placeholder_token"  # noqa: S105  # a rule's name, not a secret
    LEFTOVER_JINJA_MARKER = "leftover_jinja_marker"
    ILLEGAL_FILESYSTEM_CHARACTER = "illegal_filesystem_character"
    RESERVED_FILESYSTEM_NAME = "reserved_filesystem_name"
    MODE_PREFIX_MISMATCH = "mode_prefix_mismatch"
    ORPHAN = "orphan"
    MISSING_REQUIRED_FIELD = "missing_required_field"
    MALFORMED_YAML_FRONT_MATTER = "malformed_yaml_front_matter"
    UNSAFE_PROJECT_NAME = "unsafe_project_name"


class Tier(StrEnum):
    """Hard findings block a run, soft ones are only shown."""

    HARD = "hard"
    SOFT = "soft"


class OffendingKind(StrEnum):
    """Where the token was found."""

    DIRECTORY_SEGMENT = "directory_segment"
    FILE_NAME = "file_name"
    FILE_CONTENT = "file_content"


@dataclass(frozen=True, slots=True)
class Finding:
    """One objection. ``offending_path`` is relative to the run: ``"."`` for its folder and those above."""

    rule: Rule
    tier: Tier
    run_path: str
    offending_path: str
    offending_kind: OffendingKind
    matched_token: str
    rule_detail: str
    synced_under_prior_policy: bool = False
    override_active: bool = False

    @property
    def blocks(self) -> bool:
        """Whether this finding alone keeps the run here."""
        return self.tier is Tier.HARD and not self.override_active
