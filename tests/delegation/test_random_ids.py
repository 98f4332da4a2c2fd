"""Identifiers that sort by the time they were made at."""

import time

from delegation.random_ids import ordered_id, random_id


def test_an_id_begins_with_the_time_and_ends_at_random() -> None:
    before = time.time_ns() // 1_000_000
    made = [ordered_id() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert {len(one) for one in made} == {32}
    assert all(before <= int(one[:12], 16) <= after for one in made)
    assert len({one[12:] for one in made}) == len(made)
    assert [one[:12] for one in made] == sorted(one[:12] for one in made)


def test_the_random_ones_do_not_tell_the_time() -> None:
    assert len({random_id()[:8] for _ in range(100)}) > 90
