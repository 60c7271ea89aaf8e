"""What do all blocks of the configuration have in common? Known keys, no secrets, and errors that are sentences."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from exlab_sync_tui.settings.problems import nearest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exlab_sync_tui.settings.problems import KeyPath

_SECRET = re.compile(r"password|passwd|passphrase|secret|token|api_?key|credential")
_REFUSED = "refused"
NO_SECRETS = "secrets are never kept here; use an SSH key, rclone's own config or the credentials of the mount"


def objection(sentence: str, nearest: str = "") -> PydanticCustomError:
    """An error that reads *sentence*; never put a configured value into it that could be a secret."""
    meant = f'; did you mean "{nearest}"?' if nearest else ""
    context = {"sentence": sentence, "nearest": nearest, "meant": meant}
    return PydanticCustomError(_REFUSED, "{sentence}{meant}", context)


def at(path: KeyPath, sentence: str, nearest: str = "") -> InitErrorDetails:
    """An objection to the value that lies *path* below the one being validated."""
    return InitErrorDetails(type=objection(sentence, nearest), loc=path, input=None)


def details(error: ValidationError) -> list[InitErrorDetails]:
    """The errors of *error* in the form in which they can be raised again, together with others, and without input."""
    again = []
    for found in error.errors(include_url=False):
        context = found.get("ctx", {})
        kind = objection(context["sentence"], context["nearest"]) if found["type"] == _REFUSED else found["type"]
        again.append(InitErrorDetails(type=kind, loc=found["loc"], input=None, ctx=context))
    return again


def looks_secret(key: str) -> bool:
    """Whether a key of this name would hold a secret."""
    return _SECRET.search(key.lower().replace("-", "_")) is not None


class Block(BaseModel):
    """A frozen block of known keys. Values are never shown in an error, in case somebody put a secret there."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    spellings: ClassVar[Mapping[str, str]] = {}
    """Other spellings of keys that are found in the field: spelling → key."""

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """The keys as they are written in the file."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    def strangers(cls, given: Mapping[str, object]) -> list[InitErrorDetails]:
        """An objection to every key that has no place here."""
        known = cls.known_keys()
        return [at((key,), *_unknown(str(key), known)) for key in given if key not in known]

    @model_validator(mode="wrap")
    @classmethod
    def _only_known_keys(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict):
            return handler(value)
        given = dict(value)
        for spelling, key in cls.spellings.items():
            if spelling in given and key not in given:
                given[key] = given.pop(spelling)
        refused = cls.strangers(given)
        if not refused:
            return handler(given)
        bad = {objected["loc"][0] for objected in refused}
        try:
            handler({key: inner for key, inner in given.items() if key not in bad})
        except ValidationError as error:
            refused += details(error)
        raise ValidationError.from_exception_data(cls.__name__, refused)


def _unknown(key: str, known: Iterable[str]) -> tuple[str, str]:
    if looks_secret(key):
        return NO_SECRETS, ""
    nearest = nearest_of(key, known)
    return ("unknown key", nearest) if nearest else (f"unknown key; known here: {', '.join(known)}", "")


def _filled(text: str) -> str:
    if not text.strip():
        raise objection("must not be blank")
    if any(char < " " or char == "\x7f" for char in text):
        raise objection("has a control character in it")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise objection("has a character in it that cannot be written") from None
    return text


def _not_an_option(text: str) -> str:
    if text.startswith("-"):
        raise objection("must not begin with a dash: a program would take it for an option")
    return text


def _file_name(text: str) -> str:
    if "/" in text or "\\" in text or text in {".", ".."}:
        raise objection("must be the name of a file directly in the run folder, without a path")
    return text


def _expanded(value: object) -> object:
    if isinstance(value, str | Path):
        return Path(os.path.expanduser(_filled(str(value))))  # noqa: PTH111  # Path.expanduser raises without a home
    raise objection("must be a path, as text")


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise objection("must be an absolute path, from the root on")
    return path


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise objection("must be a number")
    return value


Text = Annotated[str, AfterValidator(_filled)]
"""Text that is not blank and has no control character."""

Argument = Annotated[Text, AfterValidator(_not_an_option)]
"""Text that is handed to another program and can never be taken for one of its options."""

FileName = Annotated[Text, AfterValidator(_file_name)]
"""The name of one file, without a path."""

AbsolutePath = Annotated[Path, BeforeValidator(_expanded), AfterValidator(_absolute)]
"""An absolute path of this PC; ``~`` is the user's home."""

Number = BeforeValidator(_no_switch)
"""Keeps ``true`` from being read as 1."""
