"""Under which name does a file lie in a bag, so that every validator reads the same name from the manifest?

RFC 8493 §2.1.3 lets a manifest carry any UTF-8 name, with CR, LF and ``%`` percent-encoded. Validators in the field
do not decode ``%25``, decode only the first few line ends, and cut lines at other control characters. So those names
are changed on the disk as well: each such character becomes ``=`` and two hex digits per byte. Decoding is exact.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from urllib.parse import quote

_HOSTILE = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f%\u2028\u2029\ud800-\udfff]|=(?=[0-9A-F]{2})")
_LINE_ENDS = re.compile("[\r\n]")
_ENCODED = re.compile(r"=([0-9A-F]{2})")
_FEW = 2
_LONGEST = 255


class PayloadNames:
    """Gives every file of a run its name in the bag; two never get the same, also after Unicode normalisation."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, rel: str) -> str:
        """The POSIX path below ``data/`` for the path *rel* of the run."""
        found = payload_name(rel)
        if unicodedata.normalize("NFC", found) in self._taken:
            found = "/".join(_fitting(_bytes_encoded(part), part) for part in found.split("/"))
        self._taken.add(unicodedata.normalize("NFC", found))
        return found


def payload_name(rel: str) -> str:
    """*rel* itself wherever every validator can read it."""
    encoded = _HOSTILE.sub(_encode, rel)
    line_ends = _LINE_ENDS.findall(encoded)
    if max(line_ends.count("\n"), line_ends.count("\r")) > _FEW:
        encoded = _LINE_ENDS.sub(_encode, encoded)
    if encoded[-1:].isspace():
        encoded = encoded[:-1] + _bytes_of(encoded[-1])
    if encoded == rel:
        return rel
    return "/".join(_fitting(part, whole) for part, whole in zip(encoded.split("/"), rel.split("/"), strict=True))


def original_name(name: str) -> str:
    """The path in the run for a name that ``payload_name`` made, unless it had to be cut."""
    raw = _ENCODED.sub(lambda found: f"\udcff={found[1]}", name)
    parts = raw.split("\udcff")
    data = parts[0].encode() + b"".join(bytes([int(part[1:3], 16)]) + part[3:].encode() for part in parts[1:])
    return os.fsdecode(data)


def manifest_path(path: str) -> str:
    """A path as a manifest has it: CR, LF and ``%`` percent-encoded, and nothing else (RFC 8493 §2.1.3)."""
    return re.sub("[\r\n%]", lambda found: quote(found[0], safe=""), path)


def _encode(found: re.Match[str]) -> str:
    return _bytes_of(found[0])


def _bytes_of(text: str) -> str:
    return "".join(f"={byte:02X}" for byte in os.fsencode(text))


def _bytes_encoded(part: str) -> str:
    return "".join(char if char.isascii() else _bytes_of(char) for char in part)


def _fitting(part: str, original: str) -> str:
    """*part*, or its beginning and a digest where a file system would refuse so long a name."""
    if len(part.encode()) <= _LONGEST:
        return part
    digest = hashlib.sha256(os.fsencode(original)).hexdigest()[:16]
    beginning = part.encode()[: _LONGEST - len(digest) - 1].decode(errors="ignore")
    return f"{beginning}~{digest}"
