"""What does the operator read when a destination, or a local file, refuses something? Sentences from error numbers."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text, size
from exlab_sync_tui.transport.copier.wire import Side

if TYPE_CHECKING:
    from exlab_sync_tui.transport.copier.wire import Told

_Kind = TransportErrorKind
AWAY = frozenset(
    {
        errno.ENOTCONN,
        errno.ESTALE,
        errno.EIO,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EPIPE,
        errno.ENODEV,
        errno.ENXIO,
        getattr(errno, "EREMOTEIO", errno.EIO),
    }
)
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_NAMES = frozenset({errno.ENAMETOOLONG, errno.EILSEQ})
_HELD = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY, errno.EAGAIN})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
_NOT_A_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})


def from_child(told: Told, *, title: str, far: str, near: str, free: int | None) -> TransportError:
    """The error that a copying child's trouble is; *far* and *near* are the folders that it worked in."""
    side, rel, number, detail = told
    if side == Side.CHANGED:
        return TransportError(
            f"{safe_text(f'{near}/{rel}')} changed while it was sent: {detail}. It goes back to acquiring and is sent"
            " once it holds still.",
            _Kind.CHANGED,
        )
    if side == Side.NEAR:
        return near_error(OSError(number, os.strerror(number)), f"{near}/{rel}")
    error = OSError(number, os.strerror(number))
    return far_error(error, title, f"{far}/{rel}" if rel else far, free=free, naming=side in {Side.NAME, Side.FOLDER})


def near_error(error: OSError, path: str) -> TransportError:
    """A local file that cannot be read."""
    name, why = safe_text(path), _words(error)
    if error.errno in _GONE:
        return TransportError(f"{name} is gone; it was there when the run was queued.", _Kind.LOCAL_FILE_VANISHED)
    if error.errno in _HELD:
        return TransportError(
            f"{name} cannot be read ({why}); another program keeps it, or its rights must change. It is tried again.",
            _Kind.LOCKED,
        )
    return TransportError(f"{name} cannot be read from this PC's disk ({why}); check the disk.", _Kind.UNKNOWN)


def far_error(
    error: OSError, title: str, path: str, *, free: int | None = None, naming: bool = False
) -> TransportError:
    """A destination that refuses *path* (below its root); *naming* if something was to get that name there."""
    number, why = error.errno, _words(error)
    place = f"{title}/{safe_text(path)}" if path else title
    if number in FULL:
        left = "" if free is None else f" with {size(free)} free"
        quota = "the quota is used up" if number == errno.EDQUOT else f"it is full{left}"
        return TransportError(
            f"{place} cannot be written: {quota}. Make room there; it goes on by itself.", _Kind.NO_SPACE
        )
    if number == errno.EFBIG:
        return TransportError(
            f"{place} cannot be written: a file this large does not fit there ({why}). Raise the limit on the"
            " destination.",
            _Kind.NO_SPACE,
        )
    if number == errno.EROFS:
        return TransportError(
            f"{title} is read-only; make it writable there, or mount it for writing. It goes on by itself.",
            _Kind.READ_ONLY,
        )
    if number in _FORBIDDEN:
        return TransportError(
            f"{place} may not be used by this account ({why}); give it the right to write there. It goes on by itself.",
            _Kind.PERMISSION,
        )
    if number in _NAMES or (naming and number == errno.EINVAL):
        return TransportError(f"{title} cannot take the name {safe_text(path)} ({why}); rename it.", _Kind.NAMES)
    if number in AWAY:
        return away(title, why)
    if number in _NOT_A_FOLDER:
        return TransportError(
            f"On the way to {place} lies a file or a link where a folder belongs; nothing was touched. Move it away on"
            " the NAS and retry.",
            _Kind.CONFLICT,
        )
    if number == errno.EEXIST:
        return taken(place)
    if number == errno.ENOENT:
        return TransportError(f"{place} is not there any more; it is made again at the next attempt.", _Kind.UNKNOWN)
    return TransportError(f"{place} cannot be used ({why}); it is tried again.", _Kind.UNKNOWN)


def away(title: str, why: str) -> TransportError:
    """The destination does not answer."""
    said = f"The NAS does not answer ({why}): {title}; the runs wait and go on when it is back."
    return TransportError(said, _Kind.NETWORK)


def taken(place: str) -> TransportError:
    """Something that is not ours has the name."""
    return TransportError(
        f"The NAS already has something in its place; nothing there was touched. Move {place} away, then retry.",
        _Kind.CONFLICT,
    )


def _words(error: OSError) -> str:
    return safe_text(error.strerror or error)
