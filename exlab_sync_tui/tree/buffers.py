"""Where do the bytes of a file go that is read? Into memory that begins at a page."""

from __future__ import annotations

import mmap


def page_aligned(size: int) -> memoryview:
    """A buffer of *size* bytes that begins at a page, as reads past the cache want it (open(2), ``O_DIRECT``).

    On processors that copy slowly to any other place the system needs a quarter of the time for a plain read, too.
    """
    return memoryview(mmap.mmap(-1, size))
