"""Adding, editing, removing, importing, sweeping: over the catalogue in memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslens.catalog.editing import Editor, Entry, MissingPicture, Result, sweep
from crosslens.catalog.media import digest
from crosslens.catalog.memory import MemoryCatalog, MemoryMedia
from crosslens.catalog.product import ProductFields
from crosslens.errors import Conflict, InvalidRequest, NotFound, StorageFull, UnreadablePicture
from crosslens.pictures import Limits
from fakes import FakeClock, jpeg

RED, BLUE = jpeg((200, 30, 30)), jpeg((30, 30, 200))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def editor(clock: FakeClock) -> Editor:
    return Editor(MemoryCatalog(clock), MemoryMedia(clock))


class FullMedia(MemoryMedia):
    """A disk without room."""

    def put(self, content: bytes) -> str:
        raise StorageFull("no room")


def results(editor: Editor, *entries: Entry) -> list[Result]:
    return [outcome.result for outcome in editor.put_many(entries)]


class TestAdding:
    def test_a_product_and_its_pictures_are_stored_and_announced(self, editor):
        product = editor.add(ProductFields("shirt"), [RED, BLUE])
        assert editor.store.read([product.id]) == {product.id: product}
        assert [editor.media.get(picture.sha256) for picture in product.pictures] == [RED, BLUE]
        facts = product.pictures[0]
        assert (facts.format, facts.width, facts.height, facts.size) == ("jpeg", 32, 24, len(RED))
        assert editor.store.backlog().waiting == 1

    @pytest.mark.parametrize(
        "upload", [None, b"", b"not a picture", "text", RED[:100], b"<svg></svg>", b"<html>"]
    )
    def test_bad_uploads_are_refused_and_nothing_is_stored(self, editor, upload):
        """Reference bug P11: uploads were believed by their name and content type."""
        with pytest.raises(UnreadablePicture, match="picture 2 of 2: "):
            editor.add(ProductFields("shirt"), [RED, upload])
        assert editor.store.summary().products == editor.store.position() == 0
        assert list(editor.media.digests()) == []

    def test_limits_are_the_editors(self, editor):
        strict = Editor(editor.store, editor.media, Limits(max_pixels=100))
        with pytest.raises(UnreadablePicture, match="allowed are 1 to 100"):
            strict.add(ProductFields("x"), [RED])

    def test_too_many_pictures_are_refused(self, editor):
        with pytest.raises(InvalidRequest, match="at most 100 pictures, these are 101"):
            editor.add(ProductFields("x"), [RED] * 101)

    def test_a_full_disk_leaves_no_row(self, editor):
        full = Editor(editor.store, FullMedia())
        with pytest.raises(StorageFull):
            full.add(ProductFields("x"), [RED])
        with pytest.raises(StorageFull):
            full.put_many([Entry("k", "x", pictures=[RED])])
        assert editor.store.summary().products == editor.store.position() == 0


class TestEditing:
    def test_what_is_not_named_stays(self, editor):
        old = editor.add(ProductFields("old", "words", {"a": 1}, "k"), [RED])
        new = editor.edit(old.id, title="new")
        assert new.fields == ProductFields("new", "words", {"a": 1}, "k")
        assert new.pictures == old.pictures
        assert new.revision == 2

    def test_each_field_can_be_changed(self, editor):
        product = editor.add(ProductFields("old", "words", {"a": 1}), [RED])
        new = editor.edit(product.id, description="", attributes={"b": "x"}, pictures=[BLUE, RED])
        assert new.fields == ProductFields("old", "", {"b": "x"})
        assert [picture.sha256 for picture in new.pictures] == [digest(BLUE), digest(RED)]
        assert editor.edit(product.id, pictures=[]).pictures == ()

    def test_attributes_can_be_merged_and_none_deletes_one(self, editor):
        product = editor.add(ProductFields("x", attributes={"a": 1, "b": 2}))
        new = editor.edit(product.id, merge_attributes={"a": None, "b": 3, "c": "new", "d": None})
        assert new.fields.attributes == {"b": 3.0, "c": "new"}

    @pytest.mark.parametrize(
        "edits",
        [{"title": None}, {"title": ""}, {"title": "x" * 2_001}, {"description": None},
         {"attributes": None}, {"merge_attributes": None}, {"merge_attributes": {"a": {}}},
         {"colour": "red"}, {"pictures": [b"x"]}, {"title": "fine", "pictures": [RED, None]}],
    )  # fmt: skip
    def test_an_edit_that_is_not_valid_changes_nothing(self, editor, edits):
        product = editor.add(ProductFields("x"), [BLUE])
        with pytest.raises(InvalidRequest):
            editor.edit(product.id, **edits)
        assert editor.store.read([product.id]) == {product.id: product}
        assert list(editor.media.digests()) == [digest(BLUE)]

    def test_an_edit_that_changes_nothing_writes_nothing(self, editor):
        product = editor.add(ProductFields("x", attributes={"a": 1}), [RED])
        assert editor.edit(product.id, title="x", pictures=[RED], revision=1) == product
        assert editor.edit(product.id) == product
        assert editor.store.position() == 1

    def test_a_stale_edit_is_a_conflict_even_if_it_changes_nothing(self, editor):
        product = editor.add(ProductFields("x"))
        editor.edit(product.id, title="y")
        for title in ("z", "y"):
            with pytest.raises(Conflict):
                editor.edit(product.id, title=title, revision=1)

    def test_one_and_true_are_not_the_same(self, editor):
        product = editor.add(ProductFields("x", attributes={"a": 1}))
        assert editor.edit(product.id, attributes={"a": True}).fields.attributes["a"] is True

    def test_removed_products_can_neither_be_edited_nor_removed_again(self, editor):
        product = editor.add(ProductFields("x"))
        assert editor.remove(product.id, revision=1).retired
        with pytest.raises(NotFound):
            editor.edit(product.id, title="y")
        with pytest.raises(NotFound):
            editor.remove(product.id)
        with pytest.raises(NotFound):
            editor.edit(99, title="y")

    def test_a_removed_product_comes_back_as_it_was(self, editor):
        product = editor.add(ProductFields("shirt", attributes={"size": "M"}), [RED])
        editor.remove(product.id)
        back = editor.restore(product.id)
        assert (back.fields, back.pictures) == (product.fields, product.pictures)
        assert (back.retired, back.revision) == (False, 3)
        assert editor.restore(product.id) == back, "asking twice does no more"

    def test_a_product_whose_pictures_were_swept_does_not_come_back(self, editor, clock):
        product = editor.add(ProductFields("shirt"), [RED])
        editor.remove(product.id)
        clock.advance(10_000)
        sweep(editor.store, editor.media)
        with pytest.raises(Conflict, match="have been deleted"):
            editor.restore(product.id)
        with pytest.raises(NotFound):
            editor.restore(99)

    def test_a_stale_removal_is_a_conflict(self, editor):
        product = editor.add(ProductFields("x"))
        with pytest.raises(Conflict):
            editor.remove(product.id, revision=2)

    def test_a_new_picture_never_touches_the_bytes_of_the_old(self, editor):
        """Reference bug P4: the old file was overwritten, then looked for under another name."""
        product = editor.add(ProductFields("x"), [RED])
        new = editor.edit(product.id, pictures=[BLUE])
        assert editor.media.get(product.pictures[0].sha256) == RED
        assert editor.media.get(new.pictures[0].sha256) == BLUE


class TestImporting:
    def test_new_changed_unchanged_and_failed_entries_are_told_apart(self, editor):
        first = [Entry("a", "a", pictures=[RED]), Entry("b", "b"), Entry("c", "c")]
        assert results(editor, *first) == [Result.ADDED] * 3
        position = editor.store.position()
        again = [first[0], Entry("b", "B"), Entry("c", ""), Entry("d", "d")]
        outcomes = editor.put_many(again)
        assert [outcome.result for outcome in outcomes] == [
            Result.UNCHANGED, Result.CHANGED, Result.FAILED, Result.ADDED,
        ]  # fmt: skip
        assert [outcome.key for outcome in outcomes] == ["a", "b", "c", "d"]
        assert outcomes[1].product.revision == 2
        assert "title has 0 characters" in outcomes[2].reason
        assert editor.store.position() == position + 2

    def test_an_unchanged_import_writes_nothing_and_decodes_nothing(self, editor):
        entries = [Entry("a", "x", "words", {"a": 1, "b": ["c"]}, [RED, BLUE])]
        editor.put_many(entries)
        blind = Editor(editor.store, editor.media, Limits(max_pixels=0))  # it can decode nothing
        assert results(blind, *entries) == [Result.UNCHANGED]
        assert editor.store.position() == 1

    def test_another_order_of_pictures_is_a_change(self, editor):
        results(editor, Entry("a", "x", pictures=[RED, BLUE]))
        assert results(editor, Entry("a", "x", pictures=[BLUE, RED])) == [Result.CHANGED]

    def test_an_entry_whose_picture_cannot_be_read_fails_and_names_it(self, editor):
        missing = MissingPicture("shoes/7.jpg", "no such file")
        outcomes = editor.put_many(
            [Entry("a", "x", pictures=[RED, missing]), Entry("b", "x", pictures=[RED[:90]])]
        )
        assert [outcome.result for outcome in outcomes] == [Result.FAILED] * 2
        assert outcomes[0].reason == "picture 2 of 2: shoes/7.jpg: no such file"
        assert "truncated" in outcomes[1].reason
        assert editor.store.summary().products == 0

    def test_a_bad_entry_never_spoils_the_others(self, editor):
        bad = [
            Entry(None, "no key"), Entry("", "empty key"), Entry(["list"], "x"),
            Entry("\ud800", "x"), Entry("a", None), Entry("a", "x", attributes={"a": float("nan")}),
            Entry("a", "x", attributes={"a": np.array([1, 2])}), Entry("a", "x", pictures=[None]),
            Entry("a", "x", attributes="red"), Entry("k" * 501, "x"),
        ]  # fmt: skip
        assert results(editor, *bad, Entry("a", "good"), *bad) == [
            *[Result.FAILED] * len(bad), Result.ADDED, *[Result.FAILED] * len(bad),
        ]  # fmt: skip
        assert editor.store.by_source_keys(["a"])["a"].title == "good"

    def test_of_entries_with_the_same_key_the_last_valid_one_counts(self, editor):
        assert results(editor, Entry("a", "1"), Entry("a", "2"), Entry("a", "")) == [
            Result.REPLACED, Result.ADDED, Result.FAILED,
        ]  # fmt: skip
        assert editor.store.by_source_keys(["a"])["a"].title == "2"

    def test_a_removed_product_comes_back_when_imported_again(self, editor):
        entry = Entry("a", "x", pictures=[RED])
        [added] = editor.put_many([entry])
        editor.remove(added.product.id)
        sweep(editor.store, editor.media, older_than_s=0)
        [back] = editor.put_many([entry])
        assert (back.result, back.product.id) == (Result.CHANGED, added.product.id)
        assert not back.product.retired
        assert editor.media.get(digest(RED)) == RED

    def test_a_lost_file_comes_back_with_an_unchanged_import(self, editor):
        entry = Entry("a", "x", pictures=[RED])
        editor.put_many([entry])
        editor.media.delete(digest(RED))
        assert results(editor, entry) == [Result.UNCHANGED]
        assert editor.media.get(digest(RED)) == RED

    def test_an_empty_batch_is_fine(self, editor):
        assert editor.put_many([]) == []

    @given(
        st.lists(
            st.builds(
                Entry,
                st.sampled_from(["a", "b", "c"]),
                st.sampled_from(["", "one", "two"]),
                pictures=st.lists(st.sampled_from([RED, BLUE, b"bad"]), max_size=2),
            ),
            max_size=8,
        ),
        st.integers(1, 8),
    )
    @settings(max_examples=50, deadline=None)
    def test_any_import_ends_in_the_same_catalogue_however_it_is_cut(self, entries, size):
        whole = Editor(MemoryCatalog(), MemoryMedia())
        parts = Editor(MemoryCatalog(), MemoryMedia())
        assert len(whole.put_many(entries)) == len(entries)
        for at in range(0, len(entries), size):
            parts.put_many(entries[at : at + size])
        assert shown(whole) == shown(parts)
        assert Result.CHANGED not in results(whole, *last_of_each_key(entries))


def shown(editor: Editor) -> dict[str, tuple]:
    found = editor.store.by_source_keys(["a", "b", "c"])
    return {key: (product.title, product.pictures) for key, product in found.items()}


def last_of_each_key(entries: list[Entry]) -> list[Entry]:
    valid = [entry for entry in entries if entry.title and b"bad" not in entry.pictures]
    return list({entry.key: entry for entry in valid}.values())


class TestSweeping:
    def test_pictures_of_removed_products_do_not_leak(self, editor, clock):
        """Reference bug P5: image files of deleted products always stayed."""
        kept = editor.add(ProductFields("kept"), [RED])
        removed = editor.add(ProductFields("removed"), [RED, BLUE])
        editor.remove(removed.id)
        clock.advance(3_600)
        assert sweep(editor.store, editor.media) == 1
        assert list(editor.media.digests()) == [digest(RED)]
        assert editor.media.get(kept.pictures[0].sha256) == RED

    def test_pictures_that_an_edit_replaced_do_not_leak(self, editor, clock):
        product = editor.add(ProductFields("x"), [RED])
        editor.edit(product.id, pictures=[BLUE])
        clock.advance(3_600)
        assert sweep(editor.store, editor.media) == 1
        assert list(editor.media.digests()) == [digest(BLUE)]

    def test_young_pictures_are_spared_since_their_row_may_be_on_its_way(self, editor, clock):
        editor.media.put(RED)
        clock.advance(3_599)
        assert sweep(editor.store, editor.media) == 0
        clock.advance(1)
        assert sweep(editor.store, editor.media) == 1

    def test_bytes_stored_again_are_young_again(self, editor, clock):
        editor.media.put(RED)
        clock.advance(3_600)
        editor.media.put(RED)
        assert sweep(editor.store, editor.media) == 0
