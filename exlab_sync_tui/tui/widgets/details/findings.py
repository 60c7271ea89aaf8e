"""What does the gate object to in the selected run, what can be done, and who has let what pass?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from exlab_sync_tui.gate.advice import advice
from exlab_sync_tui.headless.words import BAD, GOOD, NOTE, WAIT, Look
from exlab_sync_tui.model.finding import Tier
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.tui.widgets.lines import WholeCells
from exlab_sync_tui.tui.widgets.pairs import pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.style import Style
    from textual.app import ComposeResult

    from exlab_sync_tui.model.finding import Finding
    from exlab_sync_tui.operate.objections import Objections

_SHOWN = 200


class FindingsView(VerticalScroll):
    """Rule, where, what to do; then the overrides."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"findings--{mood}" for mood in (GOOD, BAD, WAIT, NOTE)),
        "findings--title",
        "findings--label",
    }

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.objections: Objections | None = None

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, id="findings-text")

    def on_mount(self) -> None:
        self.vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]  # meant to be set on an instance
        self._draw()

    def wait(self) -> None:
        """Another run: nothing is known yet."""
        self.objections = None
        self.scroll_home(animate=False)
        self._draw()

    def judge(self, objections: Objections) -> None:
        """Show this."""
        self.objections = objections
        self._draw()

    def notify_style_update(self) -> None:
        """Another theme: the colours are part of the text."""
        super().notify_style_update()
        if self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        self.query_one("#findings-text", Static).update(self._text())

    def _text(self) -> Group:
        told = self.objections
        if told is None:
            return Group(Text(f"Asking the gate{self._look.ellipsis}", self._style("label")))
        if told.problem:
            return Group(Text(safe_text(told.problem), self._style("label")))
        parts: list[RenderableType] = []
        if not told.findings:
            parts.append(self._signed(GOOD, "The gate has nothing against this run."))
        for finding in told.findings[:_SHOWN]:
            parts += self._finding(finding)
        if len(told.findings) > _SHOWN:
            parts.append(Text(f"and {len(told.findings) - _SHOWN:,} more; `exlab-sync check` lists them all."))
        if told.overrides:
            parts += [Text(), Text("Overrides", self._style("title"))]
            parts += [self._override(row) for row in told.overrides]
        return Group(*parts)

    def _finding(self, finding: Finding) -> list[RenderableType]:
        if finding.override_active:
            mood, says = NOTE, "let pass by an override"
        elif finding.tier is Tier.HARD:
            mood, says = BAD, "keeps the run here"
        else:
            mood, says = WAIT, "only said, the run goes"
        where = "the run's own path" if finding.offending_path == "." else safe_text(finding.offending_path)
        rows = [("Where", where), ("What", safe_text(finding.rule_detail))]
        if not finding.override_active:
            rows.append(("What to do", _way_out(finding)))
        return [
            self._signed(mood, f"{finding.rule.value}  {says}"),
            pairs(rows, self._style("label"), indent=2),
            Text(),
        ]

    def _override(self, row: Mapping[str, str]) -> RenderableType:
        is_active = row["state"] == "in force" or row["state"].startswith("until ")
        mood, said = (GOOD if is_active else NOTE), {key: safe_text(value) for key, value in row.items()}
        text = Text.assemble(
            (f"{self._look.glyph(mood)} ", self._style(mood)),
            (f"{said['id'][:8] or '-'}  ", self._style("label")),
            f"{said['rule']}  {said['state']}\n",
            (f"  {said['operator']}, {said['recorded_at']}: {said['reason']}", self._style("label")),
        )
        text.overflow = "fold"
        return text

    def _signed(self, mood: str, text: str) -> Text:
        return Text(f"{self._look.glyph(mood)} {text}", self._style(mood))

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"findings--{name}", partial=True)


def _way_out(finding: Finding) -> str:
    repair = advice(finding).partition(", or let it pass with")[0].rstrip(".") + "."
    return repair if finding.tier is Tier.SOFT else f"{repair} Or let it pass, by name and with a reason: press o."
