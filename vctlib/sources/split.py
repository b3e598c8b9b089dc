"""Who is for training and who for testing."""

from math import floor

from vctlib.errors import InputError


def assign_split(n: int, test_fraction: float) -> list[str]:
    """The split, "train" or "test", of n people in their order: every (1/test_fraction)-th person is for testing.

    The rule looks at nothing but the place in the list, so people added at the end change nobody's split. Raises
    InputError for a fraction outside 0-1.
    """
    if not 0 <= test_fraction <= 1:
        raise InputError(f"test_fraction is {test_fraction}; it must lie between 0 and 1")
    tested = [floor((i + 1) * test_fraction + 1e-9) > floor(i * test_fraction + 1e-9) for i in range(n)]
    return ["test" if test else "train" for test in tested]
