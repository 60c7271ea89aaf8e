"""What differs between Linux, Windows and macOS?"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NO_WRITING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_ACL = "system.posix_acl_access"
_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
_NO_FOLDER_FSYNC = frozenset({errno.EINVAL, errno.ENOTSUP})


class FileLock:
    """A kernel lock on an open file, free again when it is released or the process ends, however that happens."""

    __slots__ = ("fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def release(self) -> None:
        """Give the lock back; idempotent. The file stays, since somebody may be waiting on it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_file(path: Path) -> FileLock:
    """Lock *path* for this process alone, making the file if needed, without waiting.

    Raises ``BlockingIOError`` if somebody holds it, another ``OSError`` if the file can be neither made nor opened.
    """
    common = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | common, 0o666)
    except OSError as error:
        if error.errno not in _NO_WRITING:
            raise
        try:
            fd = os.open(path, os.O_RDONLY | common)  # made by another user: reading is enough for a lock
        except FileNotFoundError:
            raise error from None
    try:
        _lock(fd)
    except OSError as error:
        os.close(fd)
        if error.errno not in _HELD:
            raise
        raise BlockingIOError(errno.EWOULDBLOCK, "locked by another program", str(path)) from error
    return FileLock(path, fd)


def user_name() -> str:
    """Who is logged in; an account without a name, as in a container, is called by its number."""
    import getpass  # noqa: PLC0415  # copying children import little

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def fsync_folder(path: Path) -> None:
    """Make the names in the folder *path* survive a power loss, where the system can be asked for it."""
    if sys.platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FSYNC:  # some network file systems cannot, and say so
            raise
    finally:
        os.close(fd)


def keep_access(fd: int, of: Path) -> None:
    """Give the open new file *fd* the owner, group, mode and ACL of the file *of*, as far as the system allows it."""
    if sys.platform == "win32":
        return
    old = of.stat()
    try:
        os.fchown(fd, old.st_uid, old.st_gid)
    except PermissionError:
        with suppress(PermissionError):  # not ours to give away: the group alone may be
            os.fchown(fd, -1, old.st_gid)
    os.fchmod(fd, old.st_mode & 0o7777)
    if sys.platform == "linux":
        with suppress(OSError):  # no ACL there, or none possible here: the mode stands
            os.setxattr(fd, _ACL, os.getxattr(of, _ACL))


def _lock(fd: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


_AT_FDCWD = -100 if sys.platform == "linux" else -2
_RENAME_NEW = 1 if sys.platform == "linux" else 4  # RENAME_NOREPLACE, RENAME_EXCL
_PASSING_INODES = frozenset({"vfat", "msdos", "exfat", "cifs", "smb3", "smbfs", "9p"})
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_LINKS = _NOT_OFFERED | {errno.EPERM, errno.EMLINK}
_IN_THE_WAY = frozenset({errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})
_FULL_FSYNC = 51  # F_FULLFSYNC: fsync(2) on macOS stops at the drive's own cache
_SYNCFS_REPORTS_SINCE = (5, 8)
_SYNCFS_REACHES = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs", "nfs", "nfs4"})
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems without anything below the cache: what is read from them is what they hold."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "sshfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "vboxsf"}
)
"""File systems behind which other PCs write, too: no events of theirs, and no safe locks."""


@functools.cache
def libc() -> Any:
    """The C library, for what Python does not offer; ``ctypes.get_errno`` tells why a call failed."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        library.mmap.restype = ctypes.c_void_p
    return library


def _checked(result: int, name: str = "") -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name or None)


def rename_new(old: str, new: str, *, old_dir: int | None = None, new_dir: int | None = None) -> None:
    """Rename without replacing anything; names are looked up in the folders given as descriptors.

    Raises ``FileExistsError`` if something lies at *new*, be it an empty folder. Where the file system has no such call
    (NFS), a file is linked and unlinked, and for a folder *new* is looked for first; what remains is that an **empty**
    folder made in that moment would be replaced.
    """
    try:
        if sys.platform == "win32":
            os.rename(old, new)  # noqa: PTH104  # refuses to replace by itself
        else:
            call = libc().renameat2 if sys.platform == "linux" else libc().renameatx_np
            near, far = (_AT_FDCWD if fd is None else fd for fd in (old_dir, new_dir))
            _checked(call(near, os.fsencode(old), far, os.fsencode(new), _RENAME_NEW), old)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        _rename_if_absent(old, new, old_dir, new_dir)


def _rename_if_absent(old: str, new: str, old_dir: int | None, new_dir: int | None) -> None:
    if stat.S_ISREG(os.stat(old, dir_fd=old_dir, follow_symlinks=False).st_mode):
        try:
            os.link(old, new, src_dir_fd=old_dir, dst_dir_fd=new_dir, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            os.unlink(old, dir_fd=old_dir)
            return
    try:
        os.stat(new, dir_fd=new_dir, follow_symlinks=False)
    except FileNotFoundError:
        try:
            os.rename(old, new, src_dir_fd=old_dir, dst_dir_fd=new_dir)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from error
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


def flush_file(fd: int) -> None:
    """Make an open file's bytes survive a power loss."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, _FULL_FSYNC)
    else:
        os.fsync(fd)


def flush_folder(fd: int | None) -> None:
    """``fsync_folder`` for a folder that is open; ``None`` where folders cannot be opened."""
    if fd is None:
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FSYNC:
            raise


def can_flush_at_once(fd: int | None) -> bool:
    """Whether ``flush_file_system`` is as good as ``fsync`` of every file.

    It has to reach the disk or server itself, and to report errors.
    """
    if sys.platform != "linux" or fd is None:
        return False
    major, minor = os.uname().release.split(".")[:2]
    known = (int(major), int("".join(filter(str.isdigit, minor)))) >= _SYNCFS_REPORTS_SINCE
    return known and file_system(fd) in _SYNCFS_REACHES


def flush_file_system(fd: int) -> None:
    """Flush everything of the file system that holds *fd*; raises what went wrong since *fd* was opened (syncfs(2))."""
    _checked(libc().syncfs(fd))


def file_system(fd: int) -> str:
    """What kind of file system holds an open file, as in ``/proc/self/mountinfo``: ``ext4``, ``nfs4``; else ``""``."""
    return _mount_of(fd)[1]


def keeps_inodes(fd: int) -> bool:
    """Whether a file's inode is its own for good: FAT, and what is not of this system, make them up at every mount."""
    kind = file_system(fd)
    return kind not in _PASSING_INODES and not kind.startswith("fuse")


def tells_changes(folder: str) -> bool:
    """Whether this system hears of every change in *folder*: not of what others do on a share or behind FUSE."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        kind = file_system(fd)
    finally:
        os.close(fd)
    return kind not in NETWORK_FILE_SYSTEMS and not kind.startswith("fuse.")


def on_own_mount(fd: int) -> bool:
    """Whether an open folder lies on another mount than the system's root."""
    if sys.platform == "win32":
        return False
    root = os.open("/", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if sys.platform == "linux":
            here, there = _mount_of(fd)[0], _mount_of(root)[0]
            if here and there:
                return here != there
        return os.fstat(fd).st_dev != os.fstat(root).st_dev
    finally:
        os.close(root)


def _mount_of(fd: int) -> tuple[str, str]:
    """Mount id and type by proc(5); ``("", "")`` where the system does not tell."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as told:  # noqa: PTH123  # children import little
            mount = next(line.split()[1] for line in told if line.startswith("mnt_id:"))
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:  # noqa: PTH123
            for line in table:
                if line.startswith(mount + " "):
                    return mount, line.partition(" - ")[2].split(" ")[0]
    except (OSError, StopIteration):
        return "", ""
    return mount, ""


def widen_pipe(fd: int, size: int) -> None:
    """Let a pipe hold *size* bytes where the system allows it, so that both ends wait less for each other."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)


_TIE = """
import ctypes, os, sys
engine, command = int(sys.argv[1]), sys.argv[2:]
ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0)
if os.getppid() == engine:
    os.execvp(command[0], command)
"""


def tied(command: Sequence[str | bytes]) -> Sequence[str | bytes]:
    """*command* so that the kernel kills it with the process that starts it (Linux: prctl(2), PR_SET_PDEATHSIG).

    Elsewhere the command itself: there a tool notices the end of its parent by its pipes alone.
    """
    if not sys.platform.startswith("linux"):
        return command
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *command]
