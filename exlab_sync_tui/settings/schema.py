"""What is the whole of the configuration? (``FORMATS.md`` §9)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exlab_sync_tui.settings.block import NO_SECRETS, Block, at, details, looks_secret
from exlab_sync_tui.settings.blocks import (
    ConsoleBlock,
    LoggingBlock,
    NasCleanupBlock,
    OperatorsBlock,
    ReadmeBlock,
    SyncBlock,
    ValidatorBlock,
    VerifyBlock,
)
from exlab_sync_tui.settings.equipment import Equipment, clashes, loops
from exlab_sync_tui.settings.operating import MetricsBlock, NotifyBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import InitErrorDetails

    from exlab_sync_tui.settings.problems import KeyPath

FOREIGN_BLOCKS = ("paths", "lims", "readme", "plugins", "orchestrator")
"""Blocks of ExLab-Wizard that are not ours to judge."""

OVERRIDABLE: dict[str, type[Block]] = {
    "sync": SyncBlock,
    "verify": VerifyBlock,
    "nas_cleanup": NasCleanupBlock,
    "validator": ValidatorBlock,
    "logging": LoggingBlock,
    "operators": OperatorsBlock,
    "console": ConsoleBlock,
    "notify": NotifyBlock,
    "metrics": MetricsBlock,
}
"""Blocks whose single keys the environment and flags can override."""


def _mapping_or_nothing(value: object) -> object:
    return value if isinstance(value, Mapping | ReadmeBlock) else {}


class Settings(Block, BaseSettings):
    """Everything a lab can set, checked and frozen.

    ``Settings.model_validate(mapping)`` reads nothing but *mapping*: no file and no environment.
    Raises ``pydantic.ValidationError``; ``load_settings`` turns that into ``ConfigProblems`` with file and line.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    equipment: tuple[Equipment, ...] = ()
    """The instruments."""
    sync: SyncBlock = SyncBlock()
    """Watching and sending."""
    verify: VerifyBlock = VerifyBlock()
    """Proving that every byte arrived."""
    nas_cleanup: NasCleanupBlock | None = None
    """Deleting proved local copies; without this block cleanup is off."""
    validator: ValidatorBlock = ValidatorBlock()
    """The gate."""
    logging: LoggingBlock = LoggingBlock()
    """The program's own log."""
    operators: OperatorsBlock = OperatorsBlock()
    """Who may override, resolve and clean."""
    console: ConsoleBlock = ConsoleBlock()
    """The console."""
    notify: NotifyBlock = NotifyBlock()
    """Telling people and programs elsewhere."""
    metrics: MetricsBlock = MetricsBlock()
    """Figures for Prometheus."""
    readme: Annotated[ReadmeBlock, BeforeValidator(_mapping_or_nothing)] = ReadmeBlock()
    """ExLab-Wizard's read-me form; only which fields are required is read."""
    paths: Any = Field(default=None, repr=False)
    """ExLab-Wizard's; left alone."""
    lims: Any = Field(default=None, repr=False)
    """ExLab-Wizard's; left alone."""
    plugins: Any = Field(default=None, repr=False)
    """ExLab-Wizard's; left alone."""
    orchestrator: Any = Field(default=None, repr=False)
    """ExLab-Wizard's; left alone."""

    @property
    def cleanup_enabled(self) -> bool:
        """Whether local copies may ever be deleted."""
        return self.nas_cleanup is not None and self.nas_cleanup.enabled

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # names given by pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed; ``load_settings`` reads file and environment, and remembers the places."""
        return (init_settings,)

    @classmethod
    def strangers(cls, given: Mapping[str, object]) -> list[InitErrorDetails]:
        """Unknown blocks, and passwords in the blocks that are otherwise left alone."""
        foreign = ((name, given[name]) for name in FOREIGN_BLOCKS if name in given)
        secrets = [at(path, NO_SECRETS) for name, value in foreign for path in _passwords(value, (name,))]
        return super().strangers(given) + secrets

    @field_validator("equipment", mode="wrap")
    @classmethod
    def _apart(cls, value: object, handler: ValidatorFunctionWrapHandler) -> tuple[Equipment, ...]:
        refused = clashes(value)
        try:
            equipment: tuple[Equipment, ...] = handler(value)
            refused += loops(equipment)
        except ValidationError as error:
            refused += details(error)
        if refused:
            raise ValidationError.from_exception_data("equipment", refused)
        return equipment


def _passwords(value: object, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # ExLab-Wizard's own keys may name a token's place; only what says password is certainly one.
            if isinstance(key, str) and looks_secret(key) and "pass" in key.lower():
                yield (*path, key)
            else:
                yield from _passwords(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _passwords(inner, (*path, index))
