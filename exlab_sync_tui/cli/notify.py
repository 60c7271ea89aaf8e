"""Do messages arrive where they should? ``notify test``."""

from __future__ import annotations

import click

from exlab_sync_tui.cli.output import look, marked, put
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.errors import NotFoundError, NotifyError
from exlab_sync_tui.headless.words import BAD, GOOD
from exlab_sync_tui.text import safe_text


@click.group(epilog="\b\nExample:\n  exlab-sync notify test")
@place_options
def notify() -> None:
    """Messages to people and programs elsewhere, as the block `notify` of the configuration says."""


@notify.command(epilog="\b\nExamples:\n  exlab-sync notify test\n  exlab-sync notify test steward --dry-run")
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@click.option("--dry-run", is_flag=True, help="Only look whether each URL can be found; send nothing.")
@place_options
@click.pass_context
def test(context: click.Context, names: tuple[str, ...], *, dry_run: bool) -> None:
    """Send a test message to every target, or to those that are named. Exit code 1 if one was not accepted."""
    from exlab_sync_tui.operate.notify.notice import Notice, Occasion
    from exlab_sync_tui.operate.notify.post import resolve, send
    from exlab_sync_tui.operate.notify.watchman import host

    targets = place_of(context).load().settings.notify.targets
    unknown = set(names) - {target.name for target in targets}
    if unknown or not targets:
        known = ", ".join(safe_text(target.name) for target in targets) or "none"
        raise NotFoundError(
            f"The configuration has no notify target {safe_text(', '.join(sorted(unknown)))}; it has: {known}."
        )
    notice = Notice(Occasion.TEST, "", f"exlab-sync {host()}: a test", "If you read this, messages arrive.")
    failed = False
    for target in targets:
        if names and target.name not in names:
            continue
        name, shown = safe_text(target.name), look()
        try:
            resolve(target) if dry_run else send(target, notice)
        except NotifyError as error:
            failed = True
            put(f"{marked(BAD, 'not sent', shown)}  {name}: {safe_text(error)}")
        else:
            put(f"{marked(GOOD, 'found' if dry_run else 'sent', shown)}  {name}")
    context.exit(1 if failed else 0)
