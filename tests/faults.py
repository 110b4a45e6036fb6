"""Deaths and interleavings, at every step and by seed: how workers are shown to survive both."""

from collections.abc import Callable
from itertools import count
from threading import Semaphore, Thread
from typing import Any

from chalicelib.history.pages import Page


class Died(BaseException):
    """The process is gone: no `except Exception` can know of it."""


class Life:
    """So many steps, then death; `math.inf` steps are a healthy process."""

    def __init__(self, steps: float) -> None:
        self._left = steps
        self._taken = count(1)

    def step(self, *_args: Any, **_kwargs: Any) -> None:
        """Take one. Threads of one process die together: nobody takes a step after the last."""
        if next(self._taken) > self._left:
            raise Died


class Stepped:
    """Takes a step before every call of `target`: what AWS has been asked to do stays done."""

    def __init__(self, target: Any, step: Callable[[], None]) -> None:
        self._target, self._step = target, step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._step()
            return found(*args, **kwargs)

        return call


class SteppedHistory(Stepped):
    """The same for a history, which puts markers one by one."""

    def mark(self, page: Page) -> None:
        """Put the markers, with a step before each; the last one first, which nobody may mind."""
        for offset, entry in reversed(list(enumerate(page.entries))):
            self._step()
            self._target.mark(Page(page.first + offset, (entry,), page.numbered_at))


class Puppet:
    """A process that moves only when told to: one step at a time, or to its death.

    `work` gets the function to call before each of its steps.
    """

    def __init__(self, work: Callable[[Callable[[], None]], Any]) -> None:
        self.done = False
        self.error: Exception | None = None
        self._work = work
        self._killed = False
        self._go, self._back = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def advance(self) -> None:
        """Let it go on up to its next step, or to its end."""
        if not self.done:
            self._go.release()
            self._back.acquire()

    def kill(self) -> None:
        """Let it die where it stands."""
        self._killed = True
        while not self.done:
            self.advance()
        self._thread.join()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._killed:
                self._work(self._step)
        except Died:
            pass
        except Exception as error:  # noqa: BLE001 -- handed to the test's own thread.
            self.error = error
        finally:
            self.done = True
            self._back.release()

    def _step(self) -> None:
        self._back.release()
        self._go.acquire()
        if self._killed:
            raise Died
