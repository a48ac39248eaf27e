"""Something that goes on in a thread, again and again, while a block of a test lasts."""

import threading


class Meanwhile:
    """`run()` runs in a thread for the time of the `with` block, whose end sets `is_over` and waits for it."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self._thread = threading.Thread(target=self.run)

    def run(self) -> None:
        """End soon after `is_over` is set."""
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *args):
        self.is_over.set()
        self._thread.join()
