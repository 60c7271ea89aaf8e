"""What does rsync mean by its exit status and its words? In the classes of ``FORMATS.md`` §6, names taken out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.transport.ssh.words import OWN_FAILURE, from_ssh, last_words

if TYPE_CHECKING:
    from exlab_sync_tui.transport.ssh.access import SshAccess

_Kind = TransportErrorKind
_QUOTED = re.compile(r'".*"')
NOT_ALL, VANISHED = 23, 24
_STALLED = frozenset({10, 12, 30, 35})
"""Exit statuses of a connection that broke or stood still (rsync(1), "EXIT VALUES")."""

_NO_RSYNC = frozenset({126, 127})
_BROKEN = (
    r"connection (?:refused|reset|timed out|unexpectedly closed|closed)|broken pipe|no route to host|unreachable"
    r"|could not resolve|name or service not known|timed out|timeout|input/output error|stale file handle"
)
_MEANINGS: tuple[tuple[TransportErrorKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(words, re.IGNORECASE))
    for kind, words in (
        (_Kind.AUTH, r"permission denied \([a-z]|too many authentication failures|host key verification failed"),
        (
            _Kind.SET_UP,
            r"(?:rsync|remote command): (?:command )?not found|rsync: not found|unknown option|unrecognized option",
        ),
        (_Kind.NO_SPACE, r"no space left on device|disk quota exceeded|file too large"),
        (_Kind.READ_ONLY, r"read-only file system"),
        (_Kind.NAMES, r"file ?name too long|invalid or incomplete multibyte|illegal byte sequence"),
        (_Kind.LOCKED, r"^(?:rsync: )?\[sender\] .*(?:permission denied|operation not permitted|text file busy)"),
        (_Kind.PERMISSION, r"permission denied|operation not permitted|access denied"),
        (_Kind.NETWORK, _BROKEN),
    )
)


def kind_of(status: int | None, said: str) -> TransportErrorKind:
    """The class of a run of rsync that ended with *status* and *said* that on its standard error."""
    lines = [_QUOTED.sub("…", line.strip()) for line in said.splitlines()]
    for kind, meaning in _MEANINGS:
        if kind is _Kind.NETWORK and status == NOT_ALL:
            continue
        if any(meaning.search(line) for line in lines):
            return kind
    if status in _NO_RSYNC:
        return _Kind.SET_UP
    return _Kind.NETWORK if status in _STALLED or status == OWN_FAILURE else _Kind.UNKNOWN


def trouble(access: SshAccess, status: int | None, said: str, left: str = "") -> TransportError:
    """The error of such a run, as a sentence; *left* is what is known of the room there."""
    if status == OWN_FAILURE:
        return from_ssh(access, status, said)
    kind = kind_of(status, said)
    telling = "\n".join(line for line in said.splitlines() if not line.startswith("rsync error:")) or said
    why = last_words(telling) or f"rsync ended with status {status}"
    return TransportError(f"{_WHAT[kind].format(title=access.title, left=left)} rsync said: {why}.", kind)


_WHAT = {
    _Kind.AUTH: "{title} refused us; mend the key or the known host.",
    _Kind.SET_UP: "rsync cannot be used on {title}; install it there (`sudo apt install rsync`), it goes on by itself.",
    _Kind.NO_SPACE: "{title} is full{left}; make room there, it goes on by itself.",
    _Kind.READ_ONLY: "{title} is read-only; make it writable, it goes on by itself.",
    _Kind.NAMES: "{title} cannot take a name of this run; rename it.",
    _Kind.LOCKED: "A file of the run cannot be read; close the program that uses it.",
    _Kind.PERMISSION: "{title} may not be written by this account; give it the right to write there.",
    _Kind.NETWORK: "The connection to {title} broke or stood still; the runs wait and go on when it is back.",
    _Kind.UNKNOWN: "{title} did not do what rsync was asked for; it is tried again.",
}
