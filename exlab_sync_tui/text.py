"""How do text, sizes and times read when a person looks at them?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_BIDI = "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff{_BIDI}]")
_USER = re.compile(r"(?P<name>://[^\s:/@]*:)[^\s/]*@")
_SECRET = re.compile(
    r"(?P<name>(?:pass(?:wd|word|phrase)?|secret|token|credentials?|api[_-]?key|(?:access|private|secret)[_-]?key)\w*"
    r"[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|\S+)",
    re.IGNORECASE,
)
_KIB = 1024
_SHOWN_WHOLE = 10


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  # a byte that was not UTF-8, kept by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:  # noqa: PLR2004
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(match[0], f"\\x{code:02x}")
    return f"\\u{code:04x}"


def safe_text(value: object) -> str:
    """Make every control, direction mark and undecodable byte of *value* visible.

    The result has no C0 or C1 control, no bidirectional control, no line end and no surrogate, so it can be printed
    on any terminal and encoded as UTF-8. It is still not markup: show it where markup is off.
    """
    return _UNSAFE.sub(_visible, str(value))


def without_secrets(value: object) -> str:
    """What a tool said, as text that is safe to show, without what looks like a password, a token or a key."""
    return _SECRET.sub(r"\g<name>***", _USER.sub(r"\g<name>***@", safe_text(value)))


def size(count: int) -> str:
    """Bytes with a binary unit, three digits at most: ``1.50 GiB``."""
    if count < _KIB:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):  # noqa: B007  # the unit reached is used below
        amount /= _KIB
        if amount < _KIB:
            break
    digits = 2 if amount < _SHOWN_WHOLE else 1 if amount < _SHOWN_WHOLE**2 else 0
    return f"{amount:.{digits}f} {unit}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 file`` or ``20,000 files``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: ``2 d 4 h``, ``3 min 20 s``, ``0.8 s``."""
    if seconds < _SHOWN_WHOLE:
        return f"{max(seconds, 0):.1f} s"
    rest = round(seconds)
    parts = []
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        amount, rest = divmod(rest, length)
        if amount:
            parts.append(f"{amount} {name}")
    return " ".join(parts[:2])


def utc(moment: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ`` of an aware *moment* (``FORMATS.md`` opening paragraph)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(value: object) -> datetime | None:
    """The instant that ISO text names: any offset is read, no zone means UTC, anything unreadable is ``None``."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ago(moment: datetime, now: datetime) -> str:
    """``14 s ago``, ``just now`` or ``in 3 min``."""
    difference = now - moment
    if difference < timedelta(seconds=-1):
        return f"in {duration(-difference.total_seconds())}"
    if difference < timedelta(seconds=1):
        return "just now"
    return f"{duration(difference.total_seconds())} ago"
