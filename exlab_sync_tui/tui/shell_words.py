"""What would one type in a shell to do the same? Whole commands that can be pasted, whatever the names are."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.operate.glance import SAFE_STATES

if TYPE_CHECKING:
    from exlab_sync_tui.tui.listing import Row

_PLAIN = re.compile(r"[ -~]+")
_PROGRAM = "exlab-sync"


def command_lines(row: Row) -> list[tuple[str, str]]:
    """What each command does, and its line; those that fit the run, the most helpful first."""
    run = shell_word(row.run_path) if row.job is None else row.job.id[:8]
    lines = [("why it is not safe, or how it is proved", f"{_PROGRAM} why {run}")]
    kind = row.hold.kind if row.hold is not None else None
    if row.job is None:
        if kind is HoldKind.BLOCKED:
            lines.append(("what the gate has against it", f"{_PROGRAM} check {run}"))
            lines.append(("let it pass", f'{_PROGRAM} override add {run} RULE --reason "…"'))
        lines.append(("queue it now", f"{_PROGRAM} enqueue {run}"))
    elif row.job.state is SyncJobState.FAILED:
        lines.append(("queue it again", f"{_PROGRAM} retry {run}"))
        lines.append(("decide about a conflict: adopt, beside or repair", f"{_PROGRAM} resolve {run} beside"))
    elif row.job.state in SAFE_STATES:
        lines.append(("compare both sides now", f"{_PROGRAM} verify {run}"))
        lines.append(("keep the copy on this PC", f"{_PROGRAM} keep-local {run}"))
        lines.append(("whether the local copy may go", f"{_PROGRAM} cleanup {run} --dry-run"))
    lines.append(("everything that is known of it", f"{_PROGRAM} show {run}"))
    lines.append(("stop its instrument's transfers", f"{_PROGRAM} pause {shell_word(row.equipment_id)}"))
    lines.append(("let them go on", f"{_PROGRAM} resume {shell_word(row.equipment_id)}"))
    return lines


def shell_word(text: str) -> str:
    """*text* as one word of a POSIX shell, printable: what cannot be typed is written as in ``$'\\x1b'``."""
    if _PLAIN.fullmatch(text):
        word = shlex.quote(text)
        return f"./{word}" if text.startswith("-") else word
    quoted = "".join(_ansi_c(byte) for byte in text.encode("utf-8", "surrogateescape"))
    return f"$'{quoted}'"


def _ansi_c(byte: int) -> str:
    char = chr(byte)
    if char in "\\'":
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\x{byte:02x}"
