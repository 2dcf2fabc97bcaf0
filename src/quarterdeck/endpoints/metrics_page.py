"""A metrics page that a server may lack, narrowed by ``name[]`` where that works, and the choice of its series that are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import quote

from quarterdeck.endpoints.base import Cadence, unauthorised
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch
from quarterdeck.wire.prometheus import Layout, Page, PageReader, Picker, Series, picker

AGAIN_EVERY_S = 60.0
"""How often a page that is missing or forbidden is asked for again."""
Choose = Callable[[tuple[Series, ...]], Iterable[tuple[int, Series]]]
"""From the series of a page to those that are read, in their order: where each stands, under which name and labels."""


class MetricsPage:
    """One metrics page of one server."""

    def __init__(
        self,
        fetch: Fetch,
        path: str,
        wanted: frozenset[str],
        monotonic: Callable[[], float],
        *,
        choose: Choose | None = None,
        narrow: bool = False,
    ) -> None:
        """``wanted``: sample names; ``narrow``: ask for them only, as `prometheus_client` servers of one process allow."""
        self._fetch = fetch
        self._path = path
        self._query = "?" + "&".join(f"name%5B%5D={quote(name)}" for name in sorted(wanted)) if narrow else ""
        self._reader = PageReader(wanted)
        self._choose = choose
        self._read_layout: Layout | None = None
        self._chosen: tuple[Picker, Layout] = (picker(()), Layout())
        self._again = Cadence(monotonic, AGAIN_EVERY_S)
        self._refusal: Failure | None = None

    async def read(self) -> Page | None:
        """The page; ``None`` where the server has none. Raises Failure for anything else. No page and no access last a minute."""
        if not self._again.due():
            if self._refusal is not None:
                raise self._refusal
            return None
        self._refusal = None
        page = await self._ask()
        if page is not None and not page.layout.series and self._query:
            self._query = ""  # several processes answer a narrowed request with an empty page
            page = await self._ask()
        return page if page is None or self._choose is None else self._arranged(page, self._choose)

    @property
    def cut(self) -> bool:
        """Whether the last page had more series than are read, so that some names were left out."""
        return self._reader.cut

    async def _ask(self) -> Page | None:
        try:
            answer = await self._fetch.optional(self._path + self._query)
        except Failure as failure:
            if unauthorised(failure):
                self._again.done()
                self._refusal = failure
            raise
        if answer is None:
            self._again.done()
            return None
        return self._reader.read(answer.body)

    def _arranged(self, page: Page, choose: Choose) -> Page:
        if page.layout is not self._read_layout:
            chosen = list(choose(page.layout.series))
            self._chosen = picker([index for index, _ in chosen]), Layout(tuple(series for _, series in chosen))
            self._read_layout = page.layout
        pick, layout = self._chosen
        return Page(layout, tuple(pick(page.values)))
