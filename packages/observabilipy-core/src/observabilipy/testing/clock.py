"""FakeClock: time that moves only when a test says so."""

__all__ = ["FakeClock"]


class FakeClock:
    """A clock to pass wherever one is wanted; it stands still until ``advance``.

    Args:
        now: unix seconds at which it begins.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
