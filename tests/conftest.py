"""What every test may ask for; how to use the running stack is told in `tests/stack.py`."""

from tests.stack import stack

__all__ = ["stack"]
