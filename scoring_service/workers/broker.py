"""The message broker: Dramatiq on our queue server, with a bell instead of polling.

Dramatiq's Redis consumer asks for work in a loop; asked often enough to answer within 10 ms it burns
several percent of a core per idle worker (benchmarks/queueing.py). Here an enqueue also pushes a token
onto a small wake list and an idle consumer blocks on that list, so waiting costs nothing and ends at
once. A lost or left-over token does no harm: the consumer asks at least once a second anyway.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

NAMESPACE = "goat"
ACTOR = "evaluate"
"""Name of the one actor, declared in each worker on its lane's queue."""
DEAD_WORKER_MS = 15_000
"""A worker process that is silent for this long loses the messages that it holds."""
MAX_TOKENS = 16
TOKEN_LIFE_MS = 2_000
HEARTBEAT_S = 1.0


def connect(url: str, *, patience_s: float) -> redis.Redis:
    """A client that gives up after ``patience_s`` instead of trying again: callers have the database."""
    return redis.Redis.from_url(
        url,
        socket_timeout=patience_s,
        socket_connect_timeout=patience_s,
        retry=Retry(NoBackoff(), 0),
    )


def wake_key(lane: str) -> str:
    return f"{NAMESPACE}:{lane}.wake"


class BellBroker(RedisBroker):
    """`RedisBroker` whose idle consumers wait for a bell. No delayed messages, no retries of its own."""

    def __init__(self, url: str, *, patience_s: float = 5.0) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # dramatiq's
            client=connect(url, patience_s=patience_s),
            namespace=NAMESPACE,
            # Attempts are counted in the database before anything runs; retries, results, age limits
            # and metrics of Dramatiq's own stay out of it.
            middleware=[],
            maintenance_chance=1_000_000,
            heartbeat_timeout=DEAD_WORKER_MS,
        )

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        return _BellConsumer

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue without its twin for delayed messages, which would be polled as well."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def announce(self, lane: str, submission_ids: list[str], *, first: bool = False) -> None:
        """Put one message per submission into the lane's queue and wake its workers."""
        for submission_id in submission_ids:
            message: Message[None] = Message(
                queue_name=lane, actor_name=ACTOR, args=(submission_id,), kwargs={}, options={}
            )
            if first:
                self._put_first(message)
            else:
                self.enqueue(message)
        tokens = [b"1"] * min(len(submission_ids), MAX_TOKENS)
        if tokens:
            with self.client.pipeline(transaction=False) as pipeline:
                pipeline.lpush(wake_key(lane), *tokens)
                pipeline.ltrim(wake_key(lane), 0, MAX_TOKENS - 1)
                pipeline.pexpire(wake_key(lane), TOKEN_LIFE_MS)
                pipeline.execute()

    def _put_first(self, message: Message[None]) -> None:
        """What `enqueue` does, at the other end of the list."""
        redis_id = str(uuid4())
        message = message.copy(options={"redis_message_id": redis_id})
        key = f"{NAMESPACE}:{message.queue_name}"
        with self.client.pipeline(transaction=True) as pipeline:
            pipeline.hset(f"{key}.msgs", redis_id, message.encode())
            pipeline.lpush(key, redis_id)
            pipeline.execute()

    def waiting(self, lane: str) -> int:
        """How many messages of a lane no worker has fetched yet."""
        return int(self.client.llen(f"{NAMESPACE}:{lane}"))


class _BellConsumer(_RedisConsumer):
    """Sleeps on the wake list while idle, and until its message is done while busy."""

    def __init__(self, broker: BellBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        # 0: the parent never sleeps
        super().__init__(broker, queue_name, prefetch, 0)  # type: ignore[no-untyped-call]  # dramatiq's
        self._wait_s = timeout / 1000
        self._done = threading.Event()

    def __next__(self) -> Any:
        try:
            message = super().__next__()  # type: ignore[no-untyped-call]  # dramatiq's
            if message is None:
                self._wait()
        except redis.RedisError as error:
            # Away, starting, or short of disk: in all cases ask again in a moment.
            raise ConnectionClosed(error) from None
        return message

    def _wait(self) -> None:
        if self.outstanding_message_count < self.prefetch:
            # On its own connection from the pool, whose timeout is longer than this wait.
            self.broker.client.blpop([wake_key(self.queue_name)], timeout=self._wait_s)
        elif not self._done.wait(HEARTBEAT_S):
            self.broker.do_fetch(self.queue_name, 0)  # fetches nothing, says that we are alive
        self._done.clear()

    def ack(self, message: Any) -> None:
        self._finish(super().ack, message)

    def nack(self, message: Any) -> None:
        self._finish(super().nack, message)

    def _finish(self, tell: Callable[[Any], None], message: Any) -> None:
        """Tell the queue server that a message is done, without waiting for it if it is away: at worst
        the message comes again and finds nothing to do."""
        try:
            tell(message)
        except (ConnectionClosed, redis.RedisError) as error:
            log.warning("a message could not be acknowledged: %s", error)
        finally:
            self._done.set()
