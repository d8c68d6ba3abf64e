"""NdjsonPort's contract has teeth: each of these storages breaks one promise, and the sentence that gives it fails."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from observabilipy.models import LogQuery, parse_cursor
from observabilipy.ports import NdjsonPage
from observabilipy.storage import InMemoryLogStorage
from observabilipy.storage.ndjson import pages_of
from observabilipy.testing import FakeClock, NdjsonContract

pytestmark = pytest.mark.contract


class SpellsAnew(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            lines = [json.dumps(json.loads(line)).encode() for line in page.lines.splitlines()]
            yield replace(page, lines=b"\n".join([*lines, b""]))


class LeavesLineSeparatorsAsTheyAre(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            yield replace(page, lines=page.lines.replace(b"\\u2028", "\u2028".encode()))


class TakesNoNoticeOfText(InMemoryLogStorage):
    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        return super().read_ndjson(replace(query, text=None))


class TakesNoNoticeOfTheOrder(InMemoryLogStorage):
    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        return super().read_ndjson(replace(query, order="asc"))


class CountsPages(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            yield replace(page, count=1)


class TellsCursorsInCommitOrder(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            first, last = sorted((page.first, page.last), key=lambda cursor: parse_cursor(cursor).position)
            yield replace(page, first=first, last=last)


class EndsWithAnEmptyPage(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            yield page
        yield NdjsonPage(b"", 0, "", "")


class GivesAPageForEverythingItLooksAt(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(replace(query, text=None)):
            kept = [line for line in page.lines.splitlines(keepends=True) if (query.text or "") in line.decode()]
            yield replace(page, lines=b"".join(kept), count=len(kept))


class GivesEverythingAtOnce(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        pages = [page async for page in super().read_ndjson(query)]
        if pages:
            lines = b"".join(page.lines for page in pages)
            yield NdjsonPage(lines, lines.count(b"\n"), pages[0].first, pages[-1].last)


class CutsLines(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            yield replace(page, lines=page.lines[:65_536])


class LimitsByWholePages(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        left = query.limit or 10**9
        async for page in super().read_ndjson(replace(query, limit=None)):
            yield page
            left -= page.count
            if left <= 0:
                return


class RepeatsTheEntryOfTheCursor(InMemoryLogStorage):
    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        if query.after is not None:
            cursor = parse_cursor(query.after)
            query = replace(query, after=str(replace(cursor, position=max(0, cursor.position - 1))))
        return super().read_ndjson(query)


class SkipsByNumberOfEntries(InMemoryLogStorage):
    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        skipped = 0
        while pages := [page async for page in super().read_ndjson(query)]:
            lines = b"".join(page.lines for page in pages).splitlines(keepends=True)[skipped:]
            if not lines:
                return
            page = next(pages_of(b"".join(lines)))
            skipped += page.count
            yield page


SABOTAGES: list[tuple[type[InMemoryLogStorage], str]] = [
    (SpellsAnew, "lines_are_the_very_bytes_of_encode_entry"),
    (TakesNoNoticeOfTheOrder, "lines_are_the_very_bytes_of_encode_entry"),
    (LeavesLineSeparatorsAsTheyAre, "each_line_is_one_line_for_every_reader"),
    (TakesNoNoticeOfText, "every_filter_gives_the_lines_of_what_read_logs_gives"),
    (CountsPages, "a_page_tells_its_entries"),
    (TellsCursorsInCommitOrder, "a_page_tells_its_entries"),
    (EndsWithAnEmptyPage, "where_nothing_matches_there_is_no_page"),
    (GivesAPageForEverythingItLooksAt, "where_little_matches_no_page_is_empty"),
    (GivesEverythingAtOnce, "a_page_ends_at_the_latest_with_the_line_that_reaches_64_kib"),
    (CutsLines, "a_page_ends_at_the_latest_with_the_line_that_reaches_64_kib"),
    (LimitsByWholePages, "limit_counts_entries_over_pages"),
    (RepeatsTheEntryOfTheCursor, "after_the_last_cursor_of_a_page_reading_goes_on"),
    (SkipsByNumberOfEntries, "entries_that_stay_are_read_once_while_others_come_and_go"),
]


@pytest.mark.parametrize(("broken", "sentence"), SABOTAGES, ids=lambda value: getattr(value, "__name__", value))
async def test_a_broken_storage_fails_the_sentence_it_breaks(broken: type[InMemoryLogStorage], sentence: str) -> None:
    with pytest.raises(AssertionError):
        await _run(broken, sentence)


@pytest.mark.parametrize("sentence", sorted({sentence for _, sentence in SABOTAGES}))
async def test_the_same_storage_unbroken_passes_the_sentence(sentence: str) -> None:
    await _run(InMemoryLogStorage, sentence)


async def _run(storage: type[InMemoryLogStorage], sentence: str) -> None:
    class Trial(NdjsonContract):
        def make_storage(self, clock: FakeClock) -> InMemoryLogStorage:
            return storage(clock=clock)

    await getattr(Trial(), f"test_{sentence}")()
