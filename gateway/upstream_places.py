"""How many calls the resource gets at once, and the line of those that wait for it."""

import asyncio
from collections import deque


class Places:
    """So many places; who comes when all are taken waits in line.

    As `asyncio.Semaphore`, and quick where nobody waits.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Return how many are in line."""
        return len(self._line)

    def take(self) -> bool:
        """Take a place if there is one."""
        if not self._free:  # while there is one, nobody is in line
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take a place when it is our turn."""
        if self.take():
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place was ours already
                self.give_back()
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def give_back(self) -> None:
        """Give a place back, to the first in line."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():  # else who waited has left, and does not know it yet
                turn.set_result(None)
                return
        self._free += 1
