"""What runs on the NAS, in its own Python, while a run is sent? It writes what comes and hashes what it has written.

Its text is sent over the connection; nothing is installed. It needs Python 3.6 and nothing else, and knows nothing of
this program. Requests come in on stdin and are answered on stdout, in their order; names are looked up in open folders,
so that no link leads out of them. It ends with the connection.
"""

import ctypes
import errno
import fcntl
import glob
import hashlib
import mmap
import os
import queue
import stat
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

REQUEST = struct.Struct(">cIQQq")
"""Operation, length of the name, two numbers, one that may be negative; then the name."""

ANSWER = struct.Struct(">cIQ32s")
"""Kind, error number, a number, a digest."""

LENGTH = struct.Struct(">I")
"""Before each piece of a file's bytes; 0 ends them."""

ABORT = 0xFFFFFFFF
"""In the place of a piece's length: the rest does not come."""

ENTRY = struct.Struct(">cQqI")
"""Kind, size, mtime in nanoseconds, length of the name; then the name below the listed folder."""

HELLO = b"exlab-agent-1\n"
WHERE, FOLDER, PUT, DIGEST, LIST, MORE, MAKE, SYNC, DONE = b"W", b"C", b"P", b"D", b"L", b"N", b"M", b"S", b"F"
FILE, FOUND, PAGE, GOT, CHECKED, FAILED, END = b"f", b"w", b"l", b"g", b"k", b"x", b"."

CHUNK = 1 << 20
BEHIND = 4 << 20
LARGE = 8 << 20
STEP = 4 << 20
SECONDS = 0.5
"""Bytes, or time, after which it is told how much has come and how much was checked."""

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OLD = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR)
KINDS = {stat.S_IFREG: b"f", stat.S_IFDIR: b"d", stat.S_IFLNK: b"l"}
LEFT_OUT = (b"/volume[0-9]*", b"/volume[0-9]*/homes", b"/share", b"/share/*", b"/mnt", b"/mnt/*", b"/data", b"/srv")
"""What a NAS may leave out of the paths that its SFTP server shows; tried in this order, after nothing at all."""


class Folders:
    """The base folder of the work, and the open folder of the last file in it; used by one thread."""

    def __init__(self, make: bool) -> None:
        self.make = make
        self.base = -1
        self.last = -1
        self.rel = b"\0"

    def change(self, path: bytes) -> None:
        """Work in a folder: an absolute root, a NUL, and the path below it, on which no link is followed."""
        self.leave()
        if self.base >= 0:
            os.close(self.base)
            self.base = -1
        root, _, below = path.partition(b"\0")
        self.base = self.down(os.open(root, OPEN_FOLDER & ~os.O_NOFOLLOW), below, False)

    def down(self, fd: int, rel: bytes, make: bool) -> int:
        """The folder *rel* below the open one, which is closed."""
        for name in rel.split(b"/") if rel else ():
            try:
                below = opened_folder(fd, name, make)
            finally:
                os.close(fd)
            fd = below
        return fd

    def enter(self, rel: bytes) -> "tuple[int, bytes]":
        """The open folder of a file, and its name there."""
        folder, _, name = rel.rpartition(b"/")
        if folder != self.rel:
            self.leave()
            self.last = self.down(os.dup(self.base), folder, self.make)
            self.rel = folder
        return self.last, name

    def leave(self) -> None:
        """Close the last folder."""
        if self.last >= 0:
            os.close(self.last)
        self.last, self.rel = -1, b"\0"


class Line:
    """Both directions; answers may come from two threads."""

    def __init__(self, incoming: BinaryIO) -> None:
        self.incoming = incoming
        self.buffer = memoryview(mmap.mmap(-1, CHUNK))  # begins at a page: a copy there is quick
        self.lock = threading.Lock()
        self.gathered = bytearray()

    def request(self) -> "tuple[bytes, bytes, int, int, int]":
        """The next one: operation, name, numbers. Ends the program when there is none any more."""
        op, length, first, second, third = REQUEST.unpack(self.exactly(REQUEST.size))
        return op, self.exactly(length), first, second, third

    def exactly(self, count: int) -> bytes:
        """So many bytes."""
        data = self.incoming.read(count)
        if len(data) < count:
            os._exit(0)
        return data

    def piece(self, count: int) -> memoryview:
        """So many bytes, at most ``CHUNK``, valid until the next piece."""
        view = self.buffer[:count]
        if self.incoming.readinto(view) < count:  # type: ignore[attr-defined]  # a buffered reader has it
            os._exit(0)
        return view

    def length(self) -> int:
        """That of the next piece."""
        number: int = LENGTH.unpack(self.exactly(LENGTH.size))[0]
        return number

    def answer(self, kind: bytes, error: int = 0, number: int = 0, digest: bytes = b"", more: bytes = b"") -> None:
        """Gather an answer; it is sent with the next ``flush``, or when there are many."""
        with self.lock:
            self.gathered += ANSWER.pack(kind, error, number, digest) + more
            if len(self.gathered) > CHUNK:
                self.send()

    def flush(self) -> None:
        """Send what was gathered."""
        with self.lock:
            self.send()

    def send(self) -> None:
        """The same, by who holds the lock."""
        data = memoryview(self.gathered)
        self.gathered = bytearray()
        while data:
            data = data[os.write(1, data) :]


class Growing:
    """A large file that is still being written: how far, and in the end whether it went well."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.written = 0
        self.verdict = -1

    def tell(self, written: int, verdict: int = -1) -> None:
        """So much may be read; a *verdict* is an error number, 0 for none."""
        with self.changed:
            self.written, self.verdict = max(self.written, written), verdict
            self.changed.notify()

    def readable(self, beyond: int, limit: int) -> int:
        """Wait until more than *beyond* bytes may be read, or until it ends: how far."""
        with self.changed:
            self.changed.wait_for(lambda: self.written > beyond or self.verdict >= 0)
            return limit if self.verdict >= 0 else min(self.written, limit)

    def wait(self) -> int:
        """The verdict, once there is one."""
        with self.changed:
            self.changed.wait_for(lambda: self.verdict >= 0)
            return self.verdict


class Task:
    """One request on its way to the hasher; *trouble* is what has kept it from being carried out."""

    def __init__(self, op: bytes, name: bytes = b"", first: int = 0, third: int = -1, trouble: int = 0) -> None:
        self.op = op
        self.name = name
        self.first = first
        self.third = third
        self.trouble = trouble
        self.growing: "Growing | None" = None


class Hasher(threading.Thread):
    """Reads back what was written, behind the writer, and answers in the order of the requests."""

    def __init__(self, line: Line) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.line = line
        self.work: "queue.Queue[list[Task]]" = queue.Queue()
        self.folders = Folders(False)
        self.buffer = memoryview(mmap.mmap(-1, CHUNK))  # begins at a page: a copy there is quick
        self.listing: "Iterator[bytes]" = iter(())

    def run(self) -> None:
        """Until the connection ends."""
        while True:
            for task in self.work.get():
                try:
                    refuse(task.trouble)
                    self.carry_out(task)
                except OSError as error:
                    kind = FILE if task.op in (PUT, DIGEST) else FAILED
                    self.line.answer(kind, error.errno or errno.EIO)

    def carry_out(self, task: Task) -> None:
        if task.op == PUT:
            size, digest = self.digest(task.name, task.first, task.growing)
            self.line.answer(FILE, 0, size, digest)
        elif task.op == DIGEST:
            self.check(task)
        elif task.op == DONE:
            self.line.answer(END)
            self.line.flush()
        elif task.op == FOLDER:
            self.folders.change(task.name)
        elif task.op == LIST:
            self.listing = walk(self.folders.base, b"")
        elif task.op == MORE:
            self.page(task.first)
        elif task.op == WHERE:
            found = place_of(task.name)
            self.line.answer(FOUND, 0, len(found), more=found)

    def check(self, task: Task) -> None:
        """The digest of at most so many bytes; with a time, for going on behind them: a whole file gets that time."""
        try:
            size, digest = self.digest(task.name, task.first)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            raise OSError(errno.ENOENT, "") from None
        if task.third >= 0:
            folder, last = self.folders.enter(task.name)
            there = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if size == task.first:
                if there.st_mtime_ns != task.third:  # a whole file that an earlier attempt left is not touched at all
                    set_time(last, task.third, folder)
            elif there.st_nlink > 1:
                size = 0  # it may lie in a published run as well: it is not continued
        self.line.answer(FILE, 0, size, digest)

    def digest(self, name: bytes, limit: int, growing: "Growing | None" = None) -> "tuple[int, bytes]":
        """How many bytes were read, at most *limit*, and their digest."""
        folder, last = self.folders.enter(name)
        fd = os.open(last, READ, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.ENOENT, "")
            sha, at, told = hashlib.sha256(), 0, 0
            while at < limit:
                until = growing.readable(at, limit) if growing else limit
                count = os.readv(fd, [self.buffer[: min(until - at, CHUNK)]])
                if not count:
                    break
                sha.update(self.buffer[:count])
                at += count
                if at - told >= STEP:
                    self.line.answer(CHECKED, 0, at - told)
                    self.line.flush()
                    told = at
        finally:
            os.close(fd)
        if growing:
            refuse(growing.wait())
        self.line.answer(CHECKED, 0, at - told)
        return at, sha.digest()

    def page(self, count: int) -> None:
        """The next *count* entries of the listing, in one answer."""
        entries = []
        for entry in self.listing:
            entries.append(entry)
            if len(entries) == count:
                break
        data = b"".join(entries)
        self.line.answer(PAGE, 0, len(data), more=data)


class Writer:
    """Reads requests, writes files, and hands everything on to the hasher."""

    def __init__(self, incoming: BinaryIO) -> None:
        self.line = Line(incoming)
        self.hasher = Hasher(self.line)
        self.folders = Folders(True)
        self.written: "list[Task]" = []
        self.got = 0
        self.told_at = 0.0

    def run(self) -> None:
        """Until the connection ends."""
        os.write(1, HELLO)
        self.hasher.start()
        while True:
            op, name, first, second, third = self.line.request()
            if op == PUT:
                self.put(name, first, second, third)
                continue
            task = Task(op, name, first, third)
            try:
                if op == DONE:
                    self.release()
                    self.tell(0)
                elif op == FOLDER:
                    self.folders.change(name)
                elif op == MAKE:
                    os.close(self.folders.down(os.dup(self.folders.base), name, True))
                elif op == SYNC:
                    flush(self.folders.base)
            except OSError as error:
                task.trouble = error.errno or errno.EIO
            self.hasher.work.put([task])

    def release(self) -> None:
        """Flush what was written, then let it be hashed: an answer stands for bytes that outlast a power cut."""
        written, self.written = self.written, []
        if not written:
            return
        try:
            flush(self.folders.base)
        except OSError as error:
            for task in written:
                task.trouble = task.trouble or error.errno or errno.EIO
        self.hasher.work.put(written)

    def put(self, name: bytes, offset: int, size: int, mtime: int) -> None:
        """One file from *offset* on. It is hashed after the next flush, a large one while it grows."""
        task = Task(PUT, name, size)
        fd = -1
        try:
            folder, last = self.folders.enter(name)
            fd = opened_file(folder, last, offset)
            if size - offset >= LARGE:
                self.release()
                task.growing = Growing()
                self.hasher.work.put([task])
        except OSError as error:
            task.trouble = error.errno or errno.EIO
        at = self.receive(fd, task, offset)
        self.finish(fd, task, at == size, mtime)

    def receive(self, fd: int, task: Task, at: int) -> int:
        """Write what comes, or only take it in once there is trouble: how far it got, -1 if the rest does not come."""
        while True:
            left = self.line.length()
            if left in (0, ABORT):
                return at if left == 0 else -1
            while left:
                piece = self.line.piece(min(left, CHUNK))
                left -= len(piece)
                self.got += len(piece)
                if task.trouble:
                    continue
                try:
                    write_all(fd, piece)
                    at += len(piece)
                except OSError as error:
                    task.trouble = error.errno or errno.EIO
            self.tell(STEP)
            if task.growing and not task.trouble:
                task.growing.tell(at - BEHIND)

    def tell(self, step: int) -> None:
        """How much has come, if it is time for it."""
        now = time.monotonic()
        if self.got >= step or now - self.told_at >= SECONDS:
            self.line.answer(GOT, 0, self.got)
            self.line.flush()
            self.got, self.told_at = 0, now

    def finish(self, fd: int, task: Task, whole: bool, mtime: int) -> None:
        """Give it its time, close it, and say whether it is whole."""
        trouble = task.trouble or (0 if whole else errno.ECANCELED)
        try:
            if fd >= 0:
                try:
                    if not trouble:
                        set_time(fd, mtime)
                    if task.growing:
                        os.fsync(fd)
                finally:
                    os.close(fd)
        except OSError as error:
            trouble = trouble or error.errno or errno.EIO
        if task.growing:
            task.growing.tell(0, trouble)
        else:
            task.trouble = trouble
            self.written.append(task)


def refuse(number: int) -> None:
    """Raise the error of that number, if it is one."""
    if number:
        raise OSError(number, "")


def opened_folder(fd: int, name: bytes, make: bool) -> int:
    """The folder *name* in an open one, which stays open."""
    try:
        return os.open(name, OPEN_FOLDER, dir_fd=fd)
    except FileNotFoundError:
        if not make:
            raise
    try:
        os.mkdir(name, dir_fd=fd)
    except FileExistsError:
        pass
    return os.open(name, OPEN_FOLDER, dir_fd=fd)


def opened_file(folder: int, name: bytes, offset: int) -> int:
    """A file to be written from *offset* on. What lies in its place is ours; it is never written to through a link."""
    if offset:
        fd = os.open(name, OLD, dir_fd=folder)
        info = os.fstat(fd)
        if stat.S_ISREG(info.st_mode) and info.st_nlink == 1 and info.st_size >= offset:
            os.ftruncate(fd, offset)
            os.lseek(fd, offset, os.SEEK_SET)
            return fd
        os.close(fd)
        raise OSError(errno.ESTALE, "")
    try:
        return os.open(name, NEW, 0o666, dir_fd=folder)
    except FileExistsError:
        pass
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        os.rmdir(name, dir_fd=folder)
    return os.open(name, NEW, 0o666, dir_fd=folder)


def write_all(fd: int, data: memoryview) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(fd, data) :]


def set_time(what: "int | bytes", mtime: int, folder: "int | None" = None) -> None:
    """The local file's time, where the file system takes it."""
    try:
        if folder is None:
            os.utime(what, ns=(mtime, mtime))
        else:
            os.utime(what, ns=(mtime, mtime), dir_fd=folder, follow_symlinks=False)
    except (OSError, OverflowError, NotImplementedError):
        pass


def flush(fd: int) -> None:
    """Everything that was written to this file system outlasts a power cut (syncfs(2), else sync(2))."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        failed = library.syncfs(fd)
    except (OSError, AttributeError):
        os.sync()
        return
    if failed:
        number = ctypes.get_errno()
        if number != errno.ENOSYS:
            raise OSError(number, "")
        os.sync()


def place_of(told: bytes) -> bytes:
    """Where a path of the SFTP server lies for us: the one folder with a file of that name and digest in it."""
    path, name, digest = told.split(b"\0", 2)
    places = [path]
    for left_out in LEFT_OUT:
        places += sorted(glob.glob(left_out + glob.escape(path)))
    places.append(os.path.expanduser(b"~") + path)
    found = {os.path.realpath(place) for place in places if has(place + b"/" + name, digest)}
    if len(found) != 1:  # none, or a copy somewhere that cannot be told from it
        raise OSError(errno.ENOENT, "")
    return found.pop()


def has(path: bytes, digest: bytes) -> bool:
    """Whether that file lies there."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(CHUNK)).digest() == digest
    except OSError:
        return False


def walk(fd: int, rel: bytes) -> "Iterator[bytes]":
    """Entries below an open folder in the order of path bytes: what is in a folder sorts as ``name/``."""
    found = []
    for text in os.listdir(fd):
        name = os.fsencode(text)
        try:
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            continue
        kind = KINDS.get(stat.S_IFMT(info.st_mode), b"s")
        size = info.st_size if kind in b"fl" else 0
        found.append((name, ENTRY.pack(kind, size, info.st_mtime_ns, len(rel) + len(name)) + rel + name))
        if kind == b"d":
            found.append((name + b"/", b""))
    found.sort()
    for name, entry in found:
        if entry:
            yield entry
            continue
        below = os.open(name[:-1], OPEN_FOLDER, dir_fd=fd)
        try:
            for inner in walk(below, rel + name):
                yield inner
        finally:
            os.close(below)


def main(incoming: BinaryIO) -> None:
    """Serve; larger pipes spare both sides some waiting where the system allows them."""
    for fd in (0, 1):
        try:
            fcntl.fcntl(fd, 1031, CHUNK)  # F_SETPIPE_SZ
        except OSError:
            pass
    Writer(incoming).run()


if __name__ == "__main__":
    main(globals().get("incoming") or sys.stdin.buffer)
