from chalicelib.supervisor.wire import Patience


def test_pauses_grow_from_a_fifth_of_a_second_to_five_seconds() -> None:
    patience = Patience()

    pauses = [patience.next_s() for _ in range(50)]

    assert 0.1 <= pauses[0] <= 0.2
    assert all(2.5 <= pause <= 5 for pause in pauses[6:])
    assert len(set(pauses)) > 10
