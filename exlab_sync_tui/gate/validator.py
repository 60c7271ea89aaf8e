"""May this run leave? Asks every rule and tells what blocks it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exlab_sync_tui.errors import CreationError, OrphanRunError
from exlab_sync_tui.gate.content import RenderedFiles, content_objections, read_text
from exlab_sync_tui.gate.readme import README_FIELDS, lims_objections, readme_objections
from exlab_sync_tui.gate.rules import TIER, Objection, is_harmless, mode_objections, name_objections, project_objections
from exlab_sync_tui.model.entry import EntryKind
from exlab_sync_tui.model.finding import Finding, OffendingKind, Rule, Tier
from exlab_sync_tui.model.run import CACHE_FOLDER, Layout
from exlab_sync_tui.provenance.creation import CREATION_NAME, read_creation
from exlab_sync_tui.provenance.overrides import active_classes
from exlab_sync_tui.tree.folder import Folder
from exlab_sync_tui.tree.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from exlab_sync_tui.model.entry import Entry
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.provenance.creation import Creation

_AFTER_SYNC = frozenset({"synced", "cleaned"})
_KEPT_PER_RULE = 10_000
"""More findings of one rule are counted, not kept: memory stays flat when a million names are wrong in one way."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """The ``validator`` block of the configuration and the fields that ``readme.defaults`` marks as required."""

    content_scan_max_bytes: int = 5 * 1024**2
    content_scan_extensions: tuple[str, ...] = (
        *(".txt", ".md", ".csv", ".tsv", ".json", ".yaml", ".yml", ".toml"),
        *(".ini", ".cfg", ".conf", ".xml", ".sh", ".py"),
    )
    required_readme_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every finding, hard first, then by rule and path; and those that keep the run here."""

    findings: tuple[Finding, ...] = ()
    blocking: tuple[Finding, ...] = ()


class Validator:
    """Asks the nine rules of ``FORMATS.md`` §5. It changes nothing, keeps nothing, and may be shared by threads."""

    def __init__(self, options: GateOptions | None = None) -> None:
        self._options = options or GateOptions()

    def judge(
        self,
        run: RunFolder,
        *,
        at: datetime,
        entries: Iterable[Entry] | None = None,
        creation: Creation | None = None,
        synced: bool = False,
        granted: Sequence[Mapping[str, Any]] = (),
    ) -> Verdict:
        """Judge the real folder; *at* decides which overrides are in force. For threads: it reads the disk.

        *entries* (a walk of the run) saves a second walk, *creation* a second reading. *synced* marks the findings of a
        run that has left already. *granted* are overrides and revocations that do not stand in creation.json.
        A run whose creation.json cannot be read is a soft ``orphan`` finding here; refusing to queue it is up to the
        caller. Raises ``OSError`` with ``filename`` if the run is gone or cannot be read.
        """
        examination = self.examination(run, at=at, creation=creation, synced=synced, granted=granted)
        for entry in walk(run.path) if entries is None else entries:
            examination.see(entry)
        return examination.verdict()

    def examination(
        self,
        run: RunFolder,
        *,
        at: datetime,
        creation: Creation | None = None,
        synced: bool = False,
        granted: Sequence[Mapping[str, Any]] = (),
    ) -> Examination:
        """The same as a filter beside somebody else's walk: ``see`` each entry, then ask for the ``verdict``.

        It reads nothing yet, so it may be made on the event loop.
        """
        return Examination(run, self._options, at=at, creation=creation, synced=synced, granted=granted)


class Examination:
    """One run under examination. ``see`` and ``verdict`` read the disk: call them in a thread, one at a time."""

    def __init__(
        self,
        run: RunFolder,
        options: GateOptions,
        *,
        at: datetime,
        creation: Creation | None,
        synced: bool,
        granted: Sequence[Mapping[str, Any]],
    ) -> None:
        self._run = run
        self._options = options
        self._at = at
        self._creation = creation
        self._synced = synced
        self._granted = granted
        self._unreadable = ""
        self._is_exlab = run.equipment.layout is Layout.EXLAB
        self._extensions = tuple(f".{extension.lstrip('.').lower()}" for extension in options.content_scan_extensions)
        self._begun = False
        self._rendered = RenderedFiles(None)
        self._to_read: list[str] = []
        self._found: dict[tuple[Objection, str, OffendingKind], None] = {}
        self._kept: Counter[Rule] = Counter()
        self._left_out: Counter[Rule] = Counter()

    def see(self, entry: Entry) -> None:
        """Judge one entry of the run's walk."""
        if not self._begun:
            self._begin()
        rel = entry.rel
        name = rel[rel.rfind("/") + 1 :]
        is_folder = entry.kind is EntryKind.FOLDER
        if not is_harmless(name):
            self._object(name_objections(name), rel, _SEGMENT if is_folder else OffendingKind.FILE_NAME)
        if (
            self._rendered
            and entry.kind is EntryKind.FILE
            and self._is_scanned(name, entry.size)
            and rel in self._rendered
        ):
            self._to_read.append(rel)

    def verdict(self) -> Verdict:
        """Read the rendered files that were seen, and put everything together."""
        if not self._begun:
            self._begin()
        self._read_contents()
        recorded = self._creation.validation_overrides if self._creation else ()
        active = active_classes((*recorded, *self._granted), self._at)
        findings = [self._finding(*found, active) for found in (*self._found, *self._summaries())]
        findings.sort(key=_place)
        return Verdict(tuple(findings), tuple(finding for finding in findings if finding.blocks))

    def _begin(self) -> None:
        self._begun = True
        self._read_creation()
        creation = self._creation
        if creation is not None:
            self._synced |= creation.sync_status in _AFTER_SYNC
            self._rendered = RenderedFiles(_source_path(creation))
        self._judge_place()
        self._judge_records()

    def _read_creation(self) -> None:
        if self._creation is not None:
            return
        try:
            self._creation = read_creation(self._run.path)
        except (OrphanRunError, CreationError) as error:
            self._unreadable = str(error)

    def _judge_place(self) -> None:
        """The segments from the equipment folder down; of a plain run only its own folder."""
        depth = len(self._run.below.parts) + 1 if self._is_exlab else 1
        segments = self._run.path.parts[-depth:]
        for segment in segments:
            self._object(name_objections(segment), ".", _SEGMENT)
        if not self._is_exlab:
            return
        kind = self._creation.run_kind if self._creation else None
        self._object(mode_objections(kind, segments[-1], segments[-2]), ".", _SEGMENT)
        if self._run.project:
            self._object(project_objections(self._run.project), ".", _SEGMENT)

    def _judge_records(self) -> None:
        """What lies in the cache folders: the run's and its project's."""
        if self._is_exlab:
            self._object(self._orphans(), ".", _SEGMENT)
        if self._creation is not None:
            self._object(lims_objections(self._creation), f"{CACHE_FOLDER}/{CREATION_NAME}", OffendingKind.FILE_CONTENT)
        if self._is_exlab or _is_file(self._run.cache / README_FIELDS):
            fields = readme_objections(self._run.cache, self._options.required_readme_fields)
            self._object(fields, f"{CACHE_FOLDER}/{README_FIELDS}", OffendingKind.FILE_CONTENT)

    def _orphans(self) -> Iterator[Objection]:
        if self._creation is None:
            yield Objection(
                Rule.ORPHAN, "", f"the run folder has no readable {CREATION_NAME}: {self._unreadable.rstrip('.')}"
            )
        if self._run.project:
            project = self._run.path.parents[len(self._run.below.parts) - 2]
            if not _is_file(project / CACHE_FOLDER / CREATION_NAME):
                yield Objection(Rule.ORPHAN, "", f"the project folder has no {CREATION_NAME}")

    def _is_scanned(self, name: str, size: int) -> bool:
        return size <= self._options.content_scan_max_bytes and name.lower().endswith(self._extensions)

    def _read_contents(self) -> None:
        if not self._to_read:
            return
        with Folder.root(self._run.path) as root:
            for rel in self._to_read:
                text = read_text(root, rel, self._options.content_scan_max_bytes)
                if text is not None:
                    self._object(content_objections(rel, text), rel, OffendingKind.FILE_CONTENT)
        self._to_read.clear()

    def _object(self, objections: Iterable[Objection], path: str, kind: OffendingKind) -> None:
        for objection in objections:
            if self._kept[objection.rule] >= _KEPT_PER_RULE:
                self._left_out[objection.rule] += 1
            elif (objection, path, kind) not in self._found:
                self._found[objection, path, kind] = None
                self._kept[objection.rule] += 1

    def _summaries(self) -> Iterator[tuple[Objection, str, OffendingKind]]:
        for rule, number in self._left_out.items():
            detail = f"{number:,} more findings of this rule are not listed; these are the first {_KEPT_PER_RULE:,}"
            yield Objection(rule, "", detail), ".", _SEGMENT

    def _finding(self, objection: Objection, path: str, kind: OffendingKind, active: frozenset[str]) -> Finding:
        return Finding(
            rule=objection.rule,
            tier=TIER[objection.rule],
            run_path=str(self._run.path),
            offending_path=path,
            offending_kind=kind,
            matched_token=objection.token,
            rule_detail=objection.detail,
            synced_under_prior_policy=self._synced,
            override_active=objection.rule.value in active,
        )


_SEGMENT = OffendingKind.DIRECTORY_SEGMENT


def _source_path(creation: Creation) -> str | None:
    source = creation.template.get("source_path")
    return source if isinstance(source, str) else None


def _is_file(path: Path) -> bool:
    """A soft rule asks: where we may not look, there is nothing, and nothing is raised."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises where it may not look


def _place(finding: Finding) -> tuple[bool, str, str, str, str, str]:
    """Hard first, then rule, then path; the rest makes the order total."""
    return (
        finding.tier is Tier.SOFT,
        finding.rule.value,
        finding.offending_path,
        finding.offending_kind.value,
        finding.matched_token,
        finding.rule_detail,
    )
