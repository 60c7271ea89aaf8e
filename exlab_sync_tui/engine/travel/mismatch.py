"""How is it said that files on the far side are not what was sent?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import count, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = 3


def mismatch(title: str, rels: Sequence[str]) -> TransportError:
    """A sentence that names the first files that differ."""
    named = ", ".join(safe_text(rel) for rel in rels[:_NAMED])
    more = f" and {count(len(rels) - _NAMED, 'other')}" if len(rels) > _NAMED else ""
    return TransportError(
        f"{count(len(rels), 'file')} on {title} {'differs' if len(rels) == 1 else 'differ'} from what was sent:"
        f" {named}{more}.",
        TransportErrorKind.HASH_MISMATCH,
    )
