"""What a process remembers of views: the newest of each incident, within one bound for all teams."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from triage.store.log.served_views import BESIDE_BODY, IncidentVersion, ReaderGroup, ServedView, ServedViews

NOW = datetime(2026, 11, 26, 20, tzinfo=UTC)
BODY = b"x" * 2_000
SIZE = len(BODY) + BESIDE_BODY


def readers() -> ReaderGroup:
    return ReaderGroup(uuid4(), "police", "field")


def view(seq: int = 1, until: datetime = NOW + timedelta(minutes=1)) -> ServedView:
    return ServedView(seq, BODY, (), "open", NOW, until, ())


def remember(views: ServedViews, whose: ReaderGroup, *roots: UUID) -> None:
    for root in roots:
        views.remember(whose, IncidentVersion(root, False, 1), view())


def missing(views: ServedViews, whose: ReaderGroup, *roots: UUID) -> list[UUID]:
    return [version.root for version in views.find(whose, [IncidentVersion(root, False, 1) for root in roots], NOW)[1]]


def test_a_view_is_given_to_those_readers_for_that_row_and_position_while_it_holds() -> None:
    views, whose, root = ServedViews(), readers(), uuid4()
    remember(views, whose, root)
    for other, version, at in [
        (readers(), IncidentVersion(root, False, 1), NOW),
        (whose._replace(level="lead"), IncidentVersion(root, False, 1), NOW),
        (whose, IncidentVersion(root, True, 1), NOW),
        (whose, IncidentVersion(root, False, 2), NOW),
        (whose, IncidentVersion(root, False, 1), NOW + timedelta(minutes=1)),
        (whose, IncidentVersion(root, False, 1), NOW - timedelta(seconds=1)),
    ]:
        assert views.find(other, [version], at) == ({}, [version])
    assert views.find(whose, [IncidentVersion(root, False, 1)], NOW) == ({root: view()}, [])


def test_the_newest_view_of_an_incident_takes_the_place_of_the_one_before_whoever_comes_first() -> None:
    views, whose, root = ServedViews(), readers(), uuid4()
    for seq in (1, 3, 2):
        views.remember(whose, IncidentVersion(root, False, seq), view(seq))
    assert views.find(whose, [IncidentVersion(root, False, 3)], NOW)[0] == {root: view(3)}
    assert views.bytes == SIZE


def test_who_has_not_asked_for_the_longest_time_loses_the_oldest_view_first() -> None:
    views, idle, busy = ServedViews(4 * SIZE), readers(), readers()
    old, older, first, second, third = (uuid4() for _ in range(5))
    remember(views, idle, older, old)
    remember(views, busy, first)
    assert missing(views, idle, old, older) == []
    remember(views, busy, second, third)
    assert missing(views, idle, older, old) == [older]
    assert missing(views, busy, first, second, third) == []


def test_all_teams_together_stay_within_the_bound() -> None:
    views = ServedViews(10 * SIZE + 1)
    for _ in range(30):
        remember(views, readers(), uuid4(), uuid4())
        assert views.bytes <= 10 * SIZE
    whose, roots = readers(), [uuid4() for _ in range(25)]
    remember(views, whose, *roots)
    assert views.bytes == 10 * SIZE
    assert missing(views, whose, *roots) == roots[:15]
