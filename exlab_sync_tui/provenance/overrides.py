"""Which objections has a person lifted, and since when? Pure algebra over the entries of ``validation_overrides``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import NotFoundError, RefusedError
from exlab_sync_tui.text import parse_instant, safe_text, utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class OverrideInForce:
    """One active override, as a receipt names it. Times are the entry's text; ``expires_at`` is empty for never."""

    problem_class: str
    id: str
    operator: str
    reason: str
    recorded_at: str
    expires_at: str = ""


def in_force(entries: Iterable[Mapping[str, object]], at: datetime) -> tuple[OverrideInForce, ...]:
    """The overrides that are active at the aware instant *at*, by class and id (``FORMATS.md`` §2).

    Active is what is not revoked, not named by any tombstone and not expired; the order of the entries does not matter.
    """
    known = list(entries)
    revoked = {repr(entry["revokes"]) for entry in known if is_tombstone(entry)}
    return tuple(
        sorted(
            OverrideInForce(
                problem_class=_text(entry, "problem_class"),
                id=_text(entry, "id"),
                operator=_text(entry, "operator"),
                reason=_text(entry, "reason"),
                recorded_at=_text(entry, "recorded_at"),
                expires_at=_text(entry, "expires_at"),
            )
            for entry in known
            if _text(entry, "problem_class")
            and not is_revocation(entry)
            and not (has_id(entry) and repr(entry["id"]) in revoked)
            and not _expired(entry, at)
        )
    )


def active_classes(entries: Iterable[Mapping[str, object]], at: datetime) -> frozenset[str]:
    """Classes of findings that are lifted at *at*."""
    return frozenset(override.problem_class for override in in_force(entries, at))


def revoked_since(entries: Iterable[Mapping[str, object]], moment: datetime) -> bool:
    """Whether anything was revoked at or after the second of *moment*; an unreadable time counts as since (§8).

    An override marked as revoked in its own entry does not say when that happened, so it counts as since, too.
    """
    second = moment.replace(microsecond=0)
    for entry in entries:
        if is_revocation(entry):
            when = parse_instant(entry.get("recorded_at")) if is_tombstone(entry) else None
            if when is None or when >= second:
                return True
    return False


def is_tombstone(entry: Mapping[str, object]) -> bool:
    """Whether the entry takes another one back."""
    return entry.get("revokes") is not None


def is_revocation(entry: Mapping[str, object]) -> bool:
    """Whether the entry is a tombstone, or an override that is marked as revoked itself."""
    return is_tombstone(entry) or bool(entry.get("revoked"))


def has_id(entry: Mapping[str, object]) -> bool:
    """Whether a tombstone could name the entry."""
    return entry.get("id") not in (None, "")


def new_override(
    new_id: str, *, problem_class: str, operator: str, reason: str, recorded_at: datetime, expires_at: datetime | None
) -> dict[str, object]:
    """An entry that lifts a class; raises ``RefusedError`` without a class, a name or a reason."""
    if not str(problem_class).strip():
        raise RefusedError("An override needs the class of findings that it lifts; `exlab-sync check RUN` names it.")
    entry = {"id": new_id, "problem_class": str(problem_class)} | _signed(operator, reason, recorded_at)
    if expires_at is not None:
        entry["expires_at"] = utc(expires_at)
    return entry | {"revoked": False}


def new_tombstone(
    new_id: str, override_id: str, *, operator: str, reason: str, recorded_at: datetime
) -> dict[str, object]:
    """An entry that takes *override_id* back; raises ``RefusedError`` without a name or a reason."""
    return {"id": new_id, "revokes": override_id} | _signed(operator, reason, recorded_at) | {"revoked": True}


def refuse_revoking(entries: Iterable[Mapping[str, object]], override_id: str) -> None:
    """Raise ``NotFoundError`` if there is no such override, ``RefusedError`` if it is a tombstone or has one."""
    known = list(entries)
    if any(is_tombstone(entry) and entry["revokes"] == override_id for entry in known):
        raise RefusedError(f"The override {safe_text(override_id)} was revoked before; `override list` shows by whom.")
    named = next((entry for entry in known if entry.get("id") == override_id), None)
    if named is None:
        raise NotFoundError(f"This run has no override {safe_text(override_id)}; `override list RUN` shows them.")
    if is_revocation(named):
        raise RefusedError(f"{safe_text(override_id)} is a revocation, which stays; add a new override instead.")


def _signed(operator: str, reason: str, recorded_at: datetime) -> dict[str, object]:
    if not operator.strip():
        raise RefusedError("Nobody is named for this; say who decides with --operator NAME.")
    if not reason.strip():
        raise RefusedError("A reason is needed, because it stays in the record for good; give one with --reason TEXT.")
    return {"operator": operator, "recorded_at": utc(recorded_at), "reason": reason}


def _expired(entry: Mapping[str, object], at: datetime) -> bool:
    expires = entry.get("expires_at")
    if expires is None:
        return False
    until = parse_instant(expires)
    return until is None or at >= until


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else "" if value is None else str(value)
