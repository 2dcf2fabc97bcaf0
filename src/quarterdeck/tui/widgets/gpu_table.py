"""The GPUs of the GPU view: rows or cards, one of them selected."""

from __future__ import annotations

from textual import events

from quarterdeck.tui.columns import RowsState, in_order
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.gpus.fleet_list import listing
from quarterdeck.tui.gpus.listing import Listing, Shown, Spot
from quarterdeck.tui.gpus.scene import ORDERS, Entry, Key, Scene, entries, machines
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, STRONG, Line, Run, wrap
from quarterdeck.tui.widgets.selection import Remembering

_HOW = (
    "A [[host]] in the fleet file names a machine; its gpus says how it is read:",
    '"local": this machine, by its NVIDIA driver',
    '"http://HOST:9400/metrics": by dcgm-exporter, nvidia_gpu_exporter or nvitop-exporter',
    '"ssh": by nvidia-smi there, with nothing installed',
)


class GpusState(RowsState[Key]):
    """What the view of GPUs remembers."""

    def __init__(self) -> None:
        """As it is when the view is first opened."""
        super().__init__(ORDERS)


class GpuTable(Remembering):
    """What was selected stays selected wherever it moves."""

    def __init__(self, state: GpusState) -> None:
        super().__init__(state, id="gpus")
        self.state: GpusState
        self.entries: list[Entry] = []
        self.selected: Key | None = None
        self._scene: Scene | None = None
        self._listing = Listing([], [], cards=False)
        self._room = 0

    @property
    def entry(self) -> Entry | None:
        """The selected GPU."""
        return next((entry for entry in self.entries if entry.key == self.selected), None)

    @property
    def length(self) -> int:
        """Lines of all GPUs."""
        return len(self._listing.lines)

    def show(self, scene: Scene, room: int) -> None:
        """Show a scene; ``room`` is the most lines that cards may take."""
        self._scene, self._room = scene, room
        self.entries = in_order(self._kept(scene), self.order)
        self._find_selected()
        self._list()

    def _find_selected(self) -> None:
        """What was chosen; while the filter hides that, what stands where one was."""
        keys = [entry.key for entry in self.entries]
        if self.state.selected in keys:
            self.selected = self.state.selected
        elif keys and self.selected not in keys:
            self.selected = keys[min(self._place, len(keys) - 1)]
        if self.state.selected is None:
            self.state.selected = self.selected

    def _kept(self, scene: Scene) -> list[Entry]:
        """What the filter keeps."""
        found = entries(machines(scene.fleet, self.order))
        self.said = ""
        if not self.needle.strip():
            return found
        from quarterdeck.tui.sieve import sieved

        kept = sieved(found, self.needle, "gpus", Frame(scene.fleet, *scene.moment))
        self.said = kept.said
        return kept.rows

    def change(self) -> None:
        """Sort or filter otherwise; what was selected is in view then."""
        if self._scene is not None:
            self.show(self._scene, self._room)
            self._keep_in_view()

    @property
    def _place(self) -> int:
        return next((place for place, spot in enumerate(self._listing.spots) if spot.key == self.selected), 0)

    def _list(self) -> None:
        if self._scene is None:
            return
        fleet, letters, moment = self._scene
        filtered = bool(self.needle.strip())
        hosts = machines(fleet, self.order)
        shown = Shown(self.entries, hosts, letters, self.order, self.selected, moment.now, filtered)
        self._listing = listing(shown, max(1, self.full_width - 1), self._room)
        if not self._listing.spots:
            how = empty_lines(filtered=filtered, hosts=bool(fleet.hosts), width=self.full_width)
            self._listing = Listing([*self._listing.lines, *how], [], cards=False)
        self.set_length(len(self._listing.lines))
        self.update_lines()

    # ---- moving

    def step(self, by: int) -> None:
        """Select the GPU so many after, whichever row that is in."""
        spots = self._listing.spots
        if spots:
            self._select(spots[max(0, min(len(spots) - 1, self._place + by))])

    def move(self, by: int) -> None:
        """Select the GPU so many rows below."""
        spots = self._listing.spots
        if not spots:
            return
        here = spots[self._place]
        row = max(0, min(spots[-1].row, here.row + by))
        beside = [spot for spot in spots if spot.row == row]
        self._select(min(beside, key=lambda spot: abs(spot.column - here.column)))

    def page(self, pages: int) -> None:
        """Move by windows."""
        height = self._listing.spots[0].height + 1 if self._listing.cards else 1
        self.move(pages * max(1, (self.size.height - 1) // height))

    def to_end(self, *, last: bool) -> None:
        """Select the first or the last."""
        if self._listing.spots:
            self._select(self._listing.spots[-1 if last else 0])

    def _select(self, spot: Spot) -> None:
        self.selected = self.state.selected = spot.key
        self._list()
        self._keep_in_view()

    def _keep_in_view(self) -> None:
        """Scroll where the selected one isn't in view; its machine's title comes with the first."""
        spots = self._listing.spots
        if not spots:
            return
        spot = spots[self._place]
        first = 0 if spot is spots[0] else spot.line
        top, window = self.scroll_offset.y, self.size.height
        if window and not (top <= first and spot.line + spot.height <= top + window):
            wanted = first - window // 2 if first < top else spot.line + spot.height - window + window // 2
            furthest = max(0, len(self._listing.lines) - window)
            self.scroll_to(y=min(max(0, wanted), furthest), animate=False, immediate=True)

    # ---- drawing

    def line_at(self, y: int) -> Line:
        """A line of the listing."""
        place = y + self.scroll_offset.y
        return self._listing.lines[place] if place < len(self._listing.lines) else EMPTY_LINE

    def resized(self) -> None:
        """Another width has room for other things."""
        self._list()
        self.restore()
        self._keep_in_view()

    # ---- mouse

    def on_click(self, event: events.Click) -> None:
        """Select; a double click opens."""
        line = event.y + self.scroll_offset.y
        here = [spot for spot in self._listing.spots if spot.line <= line < spot.line + spot.height]
        if here:
            width = max(1, self.full_width // max(spot.column + 1 for spot in self._listing.spots))
            self._select(min(here, key=lambda spot: abs(spot.column - event.x // width)))
            self.post_message(self.Opened() if event.chain == 2 else self.Selected())


def empty_lines(*, filtered: bool, hosts: bool, width: int) -> list[Line]:
    """What a view without GPUs says: that there are none, and how to get some."""
    if filtered:
        texts = ["", "no GPU matches the filter", "Esc clears it"]
    else:
        texts = ["", "no GPU on any machine that is watched" if hosts else "no machine is watched", *_HOW]
    parts = [(part, place) for place, text in enumerate(texts) for part in (wrap(text, max(8, width - 4)) or [""])]
    return [Line((Run(f"  {part}", STRONG if place == 1 else MUTED),)) for part, place in parts]
