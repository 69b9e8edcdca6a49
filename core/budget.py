"""How much one computation may hold and do, decided from shapes before anything is allocated."""

from dataclasses import dataclass

from core.errors import Path, TooLargeError
from core.problem import Network

CALL_COST = 100_000
"""What running one step costs beside its arithmetic, in multiply-adds: about ten microseconds of calls."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of one computation.

    Parameters
    ----------
    numbers : int
        The most numbers that it may hold, intermediates included (8 bytes each).
    operations : int
        The most multiply-adds that it may do.
    """

    numbers: int = 4_000_000
    operations: int = 10_000_000_000

    def require_numbers(self, count: int, what: str, *, path: Path = ()) -> None:
        """Check that a result fits.

        Parameters
        ----------
        count : int
            The numbers it holds.
        what : str
            What it is and where the count comes from, for the message.
        path : tuple
            What asked for it.

        Raises
        ------
        TooLargeError
            If it does not.
        """
        if count > self.numbers:
            raise TooLargeError(
                f"{what}: that is {count} numbers, the limit is {self.numbers}; ask for fewer quantities, "
                "samples or outputs at once",
                path=path,
            )

    def require_operations(self, count: int, what: str, *, path: Path = ()) -> None:
        """Check that the work fits.

        Parameters
        ----------
        count : int
            The multiply-adds it takes.
        what : str
            What takes them, for the message.
        path : tuple
            What asked for it.

        Raises
        ------
        TooLargeError
            If it does not.
        """
        if count > self.operations:
            raise TooLargeError(
                f"{what}: that is about {count} multiply-adds, the limit is {self.operations}; ask for less at once",
                path=path,
            )


def forward_operations(network: Network, n_samples: int) -> int:
    """Count the multiply-adds of one forward pass, calls included; a backward pass takes twice as many.

    Parameters
    ----------
    network : Network
    n_samples : int

    Returns
    -------
    int
    """
    return n_samples * network.sample_operations + 2 * CALL_COST * len(network.layers)
