"""Does each refusal of a share or a disk get its class, and a sentence with the next step?"""

from __future__ import annotations

import errno
import os

import pytest

from exlab_sync_tui.errors import TransportErrorKind as Kind
from exlab_sync_tui.transport.copier.wire import Side, Told
from exlab_sync_tui.transport.sentences import far_error, from_child, near_error

TITLE = "the mounted share /mnt/nas"


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, Kind.NO_SPACE, "full with 1.50 GiB free"),
        (errno.EDQUOT, Kind.NO_SPACE, "quota"),
        (errno.EFBIG, Kind.NO_SPACE, "this large"),
        (errno.EROFS, Kind.READ_ONLY, "mount it for writing"),
        (errno.EACCES, Kind.PERMISSION, "right to write"),
        (errno.EPERM, Kind.PERMISSION, "right to write"),
        (errno.ENAMETOOLONG, Kind.NAMES, "rename"),
        (errno.EILSEQ, Kind.NAMES, "rename"),
        (errno.EINVAL, Kind.UNKNOWN, "cannot be used"),
        (errno.ESTALE, Kind.NETWORK, "does not answer"),
        (errno.EIO, Kind.NETWORK, "does not answer"),
        (errno.ENOTCONN, Kind.NETWORK, "does not answer"),
        (errno.ETIMEDOUT, Kind.NETWORK, "does not answer"),
        (errno.EHOSTDOWN, Kind.NETWORK, "does not answer"),
        (errno.EEXIST, Kind.CONFLICT, "already has something"),
        (errno.ELOOP, Kind.CONFLICT, "link"),
        (errno.ENOENT, Kind.UNKNOWN, "not there any more"),
        (errno.EMFILE, Kind.UNKNOWN, "cannot be used"),
    ],
)
def test_a_destination_that_refuses(number: int, kind: Kind, words: str) -> None:
    error = far_error(os_error(number), TITLE, "E/Run_1/a\x1b.raw", free=1_610_612_736)
    assert error.error_kind is kind
    assert words in str(error)
    assert TITLE in str(error)
    assert "\x1b" not in str(error)


def test_a_full_destination_that_does_not_tell_its_room_is_still_full() -> None:
    assert "it is full." in str(far_error(os_error(errno.ENOSPC), TITLE, ""))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, Kind.LOCAL_FILE_VANISHED),
        (errno.ENOTDIR, Kind.LOCAL_FILE_VANISHED),
        (errno.EACCES, Kind.LOCKED),
        (errno.EBUSY, Kind.LOCKED),
        (errno.ETXTBSY, Kind.LOCKED),
        (errno.EIO, Kind.UNKNOWN),
    ],
)
def test_a_local_file_that_cannot_be_read(number: int, kind: Kind) -> None:
    error = near_error(os_error(number), "/data/Run_1/a\n.raw")
    assert error.error_kind is kind
    assert "/data/Run_1/a\\n.raw" in str(error)


@pytest.mark.parametrize(
    ("told", "kind", "place"),
    [
        ((Side.CHANGED, "a", 0, "it was written to"), Kind.CHANGED, "/data/Run_1/a changed while it was sent: it was"),
        ((Side.NEAR, "a", errno.ENOENT, ""), Kind.LOCAL_FILE_VANISHED, "/data/Run_1/a is gone"),
        ((Side.FAR, "a", errno.EINVAL, ""), Kind.UNKNOWN, "/mnt/nas/in/run/a cannot"),
        ((Side.NAME, "a", errno.EINVAL, ""), Kind.NAMES, "cannot take the name in/run/a"),
        ((Side.FOLDER, "d/a", errno.ENOTDIR, ""), Kind.CONFLICT, "/mnt/nas/in/run/d/a"),
        ((Side.FAR, "", errno.ESTALE, ""), Kind.NETWORK, "does not answer"),
    ],
)
def test_what_a_child_tells_becomes_a_sentence(told: Told, kind: Kind, place: str) -> None:
    error = from_child(told, title=TITLE, far="in/run", near="/data/Run_1", free=None)
    assert error.error_kind is kind
    assert place in str(error)
