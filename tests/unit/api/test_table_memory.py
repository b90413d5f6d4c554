"""What requests about tables share stays bounded."""

from runhue_server.api.table_memory import Recent


def test_small_values_are_bounded_too() -> None:
    """Values that take nothing themselves, such as filters that nothing passes, make way like others."""
    recent: Recent[int] = Recent(64 * 1024)
    made = []

    def value_of(key: int) -> int:
        def make() -> tuple[int, int]:
            made.append(key)
            return key, 0

        return recent.get(key, make)

    for key in range(1_000):
        assert value_of(key) == key
    made.clear()

    assert [value_of(key) for key in (999, 998, 0)] == [999, 998, 0]
    assert made == [0]
