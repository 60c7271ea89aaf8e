"""What can be set for all instruments together? (``FORMATS.md`` §9)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.settings.block import Block, Number, Text

Count = Annotated[int, Number, Field(ge=0)]
Positive = Annotated[int, Number, Field(ge=1)]
Span = Annotated[float, Number, Field(ge=0)]
LongSpan = Annotated[float, Number, Field(gt=0)]


def _extension(text: str) -> str:
    return "." + text.lower().removeprefix(".")


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class SyncBlock(Block):
    """Watching and sending."""

    enabled: bool = True
    """false watches and shows, and sends nothing."""
    rescan_seconds: LongSpan = 60
    """Seconds between two looks at all folders; events only make it faster."""
    max_parallel_runs: Count = 0
    """Runs sent at the same time; 0 means one per instrument."""
    publish: Literal["auto", "direct"] = "auto"
    """auto assembles a run aside and renames it into place where the destination can; direct never does."""
    busy_patterns: tuple[Text, ...] = ("*.partial", "*.part", "*.tmp", "*.crdownload", "~$*", "*.lock")
    """Names that mean: this run is not finished."""
    litter_patterns: tuple[Text, ...] = ("Thumbs.db", "desktop.ini", ".DS_Store", "._*")
    """Names that are not sent and never count as data."""
    stall_seconds: LongSpan = 120
    """Seconds without a byte after which a transfer is broken off and tried again."""
    priority: Literal["normal", "low", "idle"] = "low"
    """normal, low or idle: how far the engine steps back from processor and disk for the instrument's own software."""
    retry_attempts: Count = 3
    """Accepted for ExLab-Wizard; the program's own ladder of waits decides."""


class VerifyBlock(Block):
    """Proving that every byte arrived."""

    minimum: EvidenceLevel = EvidenceLevel.RSYNC_CHECKSUM
    """Weakest proof that counts: remote_hash, read_back, rsync_checksum, read_back_cached or size_mtime."""
    max_stream_bytes: Positive | None = None
    """Largest file, in bytes, that is downloaded to be verified; null means any size."""
    audit_interval_hours: Span = 12
    """Hours between two verification passes of a run."""
    audit_days: LongSpan | None = None
    """Verify every run again within so many days, for as long as it is known; null means never."""


class NasCleanupBlock(Block):
    """Deleting local copies that are proved to be on the NAS. Without this block nothing is ever deleted."""

    enabled: bool = True
    """false keeps every local copy."""
    min_verify_passes: Positive = 2
    """Passes that must have proved a run."""
    min_age_hours: Span = 24
    """Hours since it was verified."""
    retain_cache: bool = True
    """Keep the run's .exlab-wizard folder."""


class ValidatorBlock(Block):
    """The gate that keeps broken names here."""

    content_scan_max_mib: Positive = 5
    """Largest rendered file, in MiB, whose content is scanned for left-over placeholders."""
    content_scan_extensions: tuple[Annotated[Text, AfterValidator(_extension)], ...] = (
        *(".txt", ".md", ".csv", ".tsv", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".xml", ".sh"),
        ".py",
    )
    """Extensions of the rendered files that are scanned."""


class LoggingBlock(Block):
    """The program's own log."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    central_log_max_mb: Positive = 10
    """Size in MB at which the log is begun anew."""
    central_log_keep: Count = 5
    """Older logs that are kept."""
    as_json: bool = Field(default=False, alias="json")
    """Write JSON lines instead of text."""


class OperatorsBlock(Block):
    """Who may override, resolve and clean: attribution, not authentication."""

    allowlist: tuple[Text, ...] = ()
    """Names of the people who may; an empty list means everybody."""


class ConsoleBlock(Block):
    """The console."""

    theme: Text = "auto"
    """dark, light, high-contrast, ansi or another theme's name; auto follows the terminal."""
    keymap: dict[str, str] = Field(default_factory=dict)
    """Other keys for commands: id of the command to its key."""
    ascii: bool = False
    """Draw with plain ASCII only."""


class ReadmeField(BaseModel):
    """A field of ExLab-Wizard's read-me form; only these two keys are read."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: str
    """Id of the field."""
    required: bool = False
    """Whether the gate says when it is empty."""


def _readable_fields(value: object) -> object:
    entries = value if isinstance(value, list | tuple) else ()
    return [entry for entry in entries if not isinstance(entry, Mapping) or isinstance(entry.get("id"), str)]


class ReadmeBlock(BaseModel):
    """ExLab-Wizard's read-me form, as far as the gate needs it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    defaults: Annotated[tuple[ReadmeField, ...], BeforeValidator(_readable_fields)] = ()
    """Fields of the form."""

    @property
    def required(self) -> tuple[str, ...]:
        """Ids of the fields that must be filled in."""
        return tuple(field.id for field in self.defaults if field.required)
