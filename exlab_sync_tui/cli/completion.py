"""What could be meant, while somebody is still typing? Names for the shell, and ``completion`` that teaches it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from exlab_sync_tui.cli.output import put
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.errors import ExlabSyncError
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

_MOST = 50
_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/exlab-sync",
    "zsh": "a folder of $fpath, as _exlab-sync",
    "fish": "~/.config/fish/completions/exlab-sync.fish",
}


@click.command(
    epilog="\b\nExamples:\n  exlab-sync completion bash > ~/.local/share/bash-completion/completions/exlab-sync\n"
    "  exlab-sync completion fish > ~/.config/fish/completions/exlab-sync.fish"
)
@click.argument("shell", type=click.Choice(list(_SHELLS)), metavar="bash|zsh|fish")
@place_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what teaches a shell to complete verbs, options, instruments and runs; bash needs 4.4 or newer."""
    root = context.find_root().command
    script = _SHELLS[shell](root, {}, "exlab-sync", "_EXLAB_SYNC_COMPLETE").source()
    put(f"# for {_WHERE[shell]}")
    put(script.strip())


def equipment_ids(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """Instruments of the configuration; none where it cannot be used."""
    settings = place_of(context).settings_if_any()
    items = settings.equipment if settings is not None else ()
    return [CompletionItem(item.id, help=safe_text(item.label)) for item in items if item.id.startswith(beginning)]


def run_names(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """Runs whose name begins so, the newest first; names that a shell line could not show as they are stay out."""
    from exlab_sync_tui.cli.reading import open_store
    from exlab_sync_tui.queue.store import JobFilter

    async def asked() -> list[str]:
        async with open_store(place_of(context)) as store:
            jobs = await store.jobs(JobFilter(text=beginning), limit=20 * _MOST, newest_first=True)
        return [job.run_path.rpartition("/")[2] for job in jobs]

    try:
        names = asyncio.run(asked())
    except ExlabSyncError:
        return []
    fitting = (name for name in dict.fromkeys(names) if name.startswith(beginning) and name == safe_text(name))
    return [CompletionItem(name) for name, _ in zip(fitting, range(_MOST), strict=False)]
