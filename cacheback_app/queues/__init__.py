"""Where a refresh runs. One class a queue, one file a class; ``docs/queues.md`` compares them."""

from .base import BaseQueue, get_queue
from .call import RefreshCall

__all__ = ["BaseQueue", "RefreshCall", "get_queue"]
