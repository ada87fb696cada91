"""Pictures are kept for an hour, in bounds, under names that nobody can guess."""

from hfgen.gateway.picture_store import PictureStore
from hfgen.media import Media

PICTURE = Media(b"12345678", "image/png")


def test_a_name_is_random_and_ends_as_its_type_does() -> None:
    store = PictureStore(100)
    one, other = store.put(PICTURE), store.put(PICTURE)
    assert one != other
    assert len(one) == len("0" * 32 + ".png")
    assert store.get(one) == PICTURE
    assert store.get("../" + one) is None


def test_the_oldest_goes_when_there_is_no_room() -> None:
    store = PictureStore(20)
    names = [store.put(PICTURE) for _ in range(3)]
    assert [store.get(name) is not None for name in names] == [False, True, True]


def test_after_an_hour_it_is_gone() -> None:
    now = 0.0
    store = PictureStore(100, clock=lambda: now)
    name = store.put(PICTURE)
    now = 3599.0
    assert store.get(name)
    now = 3601.0
    assert store.get(name) is None
    assert store.put(PICTURE)


def test_what_is_larger_than_the_store_is_not_kept() -> None:
    store = PictureStore(4)
    assert store.get(store.put(PICTURE)) is None
