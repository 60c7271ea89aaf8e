"""How well is it proved that both sides are the same?"""

from __future__ import annotations

from enum import Enum


class EvidenceLevel(Enum):
    """Rungs of the ladder (``FORMATS.md`` §7), compared by strength: a later member proves less."""

    REMOTE_HASH = "remote_hash"
    READ_BACK = "read_back"
    RSYNC_CHECKSUM = "rsync_checksum"
    READ_BACK_CACHED = "read_back_cached"
    SIZE_MTIME = "size_mtime"

    @property
    def strength(self) -> int:
        """5 for the strongest rung, 1 for the weakest."""
        return _STRENGTH[self]

    def satisfies(self, minimum: EvidenceLevel) -> bool:
        """Whether this rung is at least as strong as *minimum*."""
        return self.strength >= minimum.strength

    @property
    def sentence(self) -> str:
        """What this rung means, for a person."""
        return _SENTENCE[self]


_STRENGTH = {level: len(EvidenceLevel) - place for place, level in enumerate(EvidenceLevel)}
_SENTENCE = {
    EvidenceLevel.REMOTE_HASH: "the NAS computed the SHA-256 of every file itself",
    EvidenceLevel.READ_BACK: "every file was read again from the destination, past this PC's cache, and compared",
    EvidenceLevel.RSYNC_CHECKSUM: "rsync compared a whole-file checksum of every file",
    EvidenceLevel.READ_BACK_CACHED: "every file was read again, but perhaps from this PC's own cache",
    EvidenceLevel.SIZE_MTIME: "only sizes and times were compared",
}


def weakest(levels: list[EvidenceLevel]) -> EvidenceLevel | None:
    """The rung that a whole run stands on: that of its least proven file; ``None`` for no files."""
    return min(levels, key=lambda level: level.strength, default=None)
