"""The one exception for input that a person can correct; commands print it as a single line."""


class InputError(ValueError):
    """Bad input: the message says what was wrong, in which file, and what to do."""
