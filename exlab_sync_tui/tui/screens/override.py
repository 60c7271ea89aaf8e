"""Which findings may pass in this run, why, and until when?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from exlab_sync_tui.text import count, parse_instant, safe_text, utc
from exlab_sync_tui.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from textual.widget import Widget

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.model.finding import Finding


@dataclass(frozen=True, slots=True)
class Wish:
    """The answer: a rule, why, and until when (``None``: for good)."""

    rule: str
    reason: str
    expires_at: datetime | None


class OverrideScreen(Dialog[Wish]):
    """A reason is needed; the operator's name goes with it into ``creation.json`` and stays there."""

    def __init__(self, run_name: str, findings: Sequence[Finding], operator: str, clock: Clock) -> None:
        super().__init__(f"Let findings pass in {run_name}")
        self._numbers: dict[str, int] = {}
        for finding in findings:
            if finding.blocks:
                self._numbers[finding.rule.value] = self._numbers.get(finding.rule.value, 0) + 1
        self._operator = safe_text(operator)
        self._clock = clock

    def content(self) -> Iterable[Widget]:
        """Rule, reason, end."""
        yield Static("Which rule", markup=False, classes="label")
        rules = [
            Option(Content(f"{rule}  ({count(number, 'finding')})"), id=rule) for rule, number in self._numbers.items()
        ]
        options = OptionList(*rules, markup=False, compact=True, id="rule")
        options.highlighted = 0
        yield options
        yield Static("Why (it stays in the record for good)", markup=False, classes="label")
        yield Input(placeholder="for example: the vendor names it so", compact=True, id="reason")
        yield Static("Until (empty: for good)", markup=False, classes="label")
        yield Input(placeholder="2025-04-01 or 2025-04-01T12:00:00Z", compact=True, id="expires")
        yield Static(
            f"Recorded as {self._operator}. Every finding of this rule may pass in this run, and nothing else.",
            markup=False,
            classes="consequence",
        )
        yield Static("", markup=False, id="objection", classes="objection")

    def buttons(self) -> Iterable[Widget]:
        """Do it, or not."""
        yield Button("Let pass", id="yes", compact=True, classes="danger")
        yield Button("Close  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#objection").display = False
        self.query_one("#reason").focus()

    def chosen(self, button: str) -> None:  # there is only one  # noqa: ARG002  # there is only one
        """Take what was filled in, if it is right."""
        self._done()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "reason" and event.value.strip():
            self.query_one("#expires").focus()
        else:
            self._done()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.query_one("#reason").focus()

    def _done(self) -> None:
        reason, typed = (self.query_one(f"#{name}", Input).value.strip() for name in ("reason", "expires"))
        expires = parse_instant(typed) if typed else None
        if not reason:
            self._object("Say why; without a reason nothing is let through.", "#reason")
        elif typed and expires is None:
            self._object(f"{safe_text(typed)} is no moment; write 2025-04-01 or 2025-04-01T12:00:00Z.", "#expires")
        elif expires is not None and expires <= self._clock.now():
            self._object(f"{utc(expires)} has passed already.", "#expires")
        else:
            chosen = self.query_one(OptionList).highlighted or 0
            self.dismiss(Wish(list(self._numbers)[chosen], reason, expires))

    def _object(self, sentence: str, place: str) -> None:
        line = self.query_one("#objection", Static)
        line.update(sentence)
        line.display = True
        self.query_one(place).focus()


class RevokeScreen(Dialog[tuple[str, str]]):
    """The id of an override in force, and why it ends."""

    def __init__(self, run_name: str, overrides: Sequence[Mapping[str, str]]) -> None:
        super().__init__(f"Take an override of {run_name} back")
        self._overrides = list(overrides)

    def content(self) -> Iterable[Widget]:
        """Which one, and why."""
        yield Static("Which one", markup=False, classes="label")
        texts = [f"{row['id'][:8]}  {row['rule']}  by {row['operator']}: {row['reason']}" for row in self._overrides]
        options = OptionList(*[Option(Content(safe_text(text))) for text in texts], markup=False, compact=True)
        options.highlighted = 0
        yield options
        yield Static("Why (it stays in the record for good)", markup=False, classes="label")
        yield Input(placeholder="for example: renamed after all", compact=True, id="reason")
        yield Static(
            "The gate objects again from now on. What has been published stays; cleanup of this run stops.",
            markup=False,
            classes="consequence",
        )
        yield Static("", markup=False, id="objection", classes="objection")

    def buttons(self) -> Iterable[Widget]:
        """Do it, or not."""
        yield Button("Revoke", id="yes", compact=True, classes="danger")
        yield Button("Close  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#objection").display = False
        self.query_one("#reason").focus()

    def chosen(self, button: str) -> None:  # there is only one  # noqa: ARG002  # there is only one
        """Take what was filled in, if there is a reason."""
        self._done()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._done()

    def _done(self) -> None:
        reason = self.query_one("#reason", Input).value.strip()
        if reason:
            self.dismiss((self._overrides[self.query_one(OptionList).highlighted or 0]["id"], reason))
            return
        line = self.query_one("#objection", Static)
        line.update("Say why; without a reason nothing is taken back.")
        line.display = True
        self.query_one("#reason").focus()
