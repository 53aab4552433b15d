"""Runs lanes in one pool of threads per process: more threads than database connections.

A wake-up only starts the crew; each of its threads looks for more work when it is done, so a room
in which people keep talking needs no further wake-up. A model call holds no connection.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from django.db import DatabaseError, transaction

from agentapp.engine import act
from agentapp.engine.assemble import assemble
from agentapp.engine.decide import decide_room
from agentapp.engine.outcomes import Begun
from agentapp.engine.think import Interrupted, Thought, think
from agentapp.foundation import faults
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.errors import AgentError
from agentapp.intake import lanes
from agentapp.intake.lanes import ClaimedLane, StaleFence
from agentapp.llm.errors import StillRunning
from agentapp.turns import queries as turn_queries
from agentapp.turns import services as turns
from agentapp.turns.services import TurnTaken

logger = logging.getLogger(__name__)

THREADS = 128  # each waits for a model most of its time
CLAIM_AT_ONCE = 20  # lanes per claim
ASK_AGAIN_SECONDS = 3.0


class Crew:
    """The threads of this process and the lanes they hold."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lane")
        self._held: dict[int, ClaimedLane] = {}
        self._jobs = 0
        self._done = 0
        self._lock = threading.Condition()
        self._keeper: threading.Thread | None = None
        self._is_looking = self._looks_again = False
        self._closing = threading.Event()

    def pump(self, *, limit: int = CLAIM_AT_ONCE) -> int:
        """Claim due lanes for free threads and start on them; returns how many."""
        return self._pump(limit=limit, ending=0)

    def _pump(self, *, limit: int, ending: int) -> int:
        """Pump from a thread of the crew that is about to be free: `ending` is 1 there."""
        with self._lock:
            busy = max(self._jobs - ending, len(self._held))
            free = 0 if self._closing.is_set() else self._threads - busy
        claimed = lanes.claim(limit=min(limit, free))
        if not claimed:
            return 0
        faults.passing("lane.claimed")
        with self._lock:
            self._held.update({lane.id: lane for lane in claimed})
        by_room: dict[int, list[ClaimedLane]] = defaultdict(list)
        for lane in claimed:
            by_room[lane.room_id].append(lane)
        for room_lanes in by_room.values():
            self._submit(self._decide, room_lanes)
        self._keep_leases()
        return len(claimed)

    def wait(self, *, timeout: float | None = None) -> bool:
        """Wait until no lane is held and none is due; returns False when the time is up."""
        with self._lock:
            return self._lock.wait_for(lambda: self._jobs == 0, timeout)

    @property
    def lanes_done(self) -> int:
        """How many claims this crew has ended since it began."""
        with self._lock:
            return self._done

    def close(self) -> None:
        """Take on nothing more, break off what runs and give every lane back."""
        with self._lock:
            self._closing.set()
            held = list(self._held.values())
        lanes.release(claimed=held)

    def shut_down(self) -> None:
        """End the threads once their work is done."""
        self._pool.shutdown(wait=True)

    def _submit(self, job: Callable[..., bool], argument: object) -> None:
        with self._lock:
            self._jobs += 1
        self._pool.submit(self._guarded, job, argument)

    def _guarded(self, job: Callable[..., bool], argument: object) -> None:
        """Do a job; where that left a thread free, look for more work."""
        try:
            with fresh_connection():
                if job(argument):
                    self._look()
        except Exception:  # a thread of the crew outlives whatever one lane does to it
            logger.exception("a lane's thread failed; its lease will run out")
        finally:
            with self._lock:
                self._jobs -= 1
                self._lock.notify_all()

    def _look(self) -> None:
        """Look for more work in a thread that is about to be free.

        Threads that come free while one looks leave it to that one, which looks once more.
        """
        with self._lock:
            self._looks_again = True
            if self._is_looking:
                return
            self._is_looking = True
        try:
            while self._is_to_look():
                if self._pump(limit=CLAIM_AT_ONCE, ending=1) == CLAIM_AT_ONCE:
                    with self._lock:
                        self._looks_again = True
        except BaseException:
            with self._lock:
                self._is_looking = False
            raise

    def _is_to_look(self) -> bool:
        with self._lock:
            self._is_looking, self._looks_again = self._looks_again, False
            return self._is_looking

    def _decide(self, claimed: Sequence[ClaimedLane]) -> bool:
        """Decide for a room's lanes, and go on with those that want a model.

        Returns:
            Whether none of them does, so that this thread is free.
        """
        live = [lane for lane in claimed if not self._parked(lane)]
        begun = self._decided(live)
        faults.passing("turn.begun")
        thinking = {each.lane.id for each in begun}
        self._let_go(lane for lane in claimed if lane.id not in thinking)
        for each in begun:
            self._submit(self._think, each)
        return not begun

    def _decided(self, claimed: Sequence[ClaimedLane]) -> list[Begun]:
        """Decide together; where that fails, one by one, so that one agent harms no other."""
        if not claimed:
            return []
        try:
            return decide_room(claimed=claimed)
        except Exception as error:  # whatever it is, it is counted against this lane only
            if len(claimed) == 1:
                logger.exception("lane %d could not be decided", claimed[0].id)
                _fail(claimed[0], error)
                return []
            logger.warning("room %d is decided agent by agent", claimed[0].room_id)
        return [begun for lane in claimed for begun in self._decided([lane])]

    def _think(self, begun: Begun) -> bool:
        try:
            take_turn(begun=begun, is_interrupted=self._closing.is_set)
        except (StaleFence, TurnTaken, Interrupted):
            logger.info("lane %d is left to another worker", begun.lane.id)
        except StillRunning:
            lanes.postpone(claimed=begun.lane, seconds=ASK_AGAIN_SECONDS)
        except Exception as error:  # whatever it is, it is counted and tried again, then left
            logger.exception("turn %d failed", begun.turn.pk)
            _fail(begun.lane, error)
        finally:
            self._let_go([begun.lane])
        return True

    def _parked(self, lane: ClaimedLane) -> bool:
        """Give up on a lane whose work has failed or killed its worker too often."""
        if lane.attempts <= lanes.MAX_ATTEMPTS:
            return False
        park(lane)
        return True

    def _let_go(self, claimed: Iterable[ClaimedLane]) -> None:
        with self._lock:
            for lane in claimed:
                self._done += 1
                # The same lane may have been claimed again meanwhile, under a newer fence.
                if self._held.get(lane.id) == lane:
                    del self._held[lane.id]

    def _keep_leases(self) -> None:
        with self._lock:
            if self._keeper is not None and self._keeper.is_alive():
                return
            self._keeper = threading.Thread(target=self._extend_leases, name="leases", daemon=True)
            self._keeper.start()

    def _extend_leases(self) -> None:
        """Prolong what is held, for as long as anything is."""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: not self._jobs, lanes.EXTEND_EVERY_SECONDS)
                held = list(self._held.values())
                if self._closing.is_set() or not self._jobs:
                    self._keeper = None
                    return
            try:
                with fresh_connection():
                    lanes.extend(claimed=held)
            except DatabaseError:
                logger.exception("leases could not be prolonged; others may take the work over")


def take_turn(*, begun: Begun, is_interrupted: Callable[[], bool] = lambda: False) -> None:
    """Carry one thought from its decision to its draft.

    Raises:
        StaleFence, TurnTaken: Another worker goes on with it.
        StillRunning: Its question is open elsewhere.
        Interrupted: This process is ending; the thought stays open for the next one.
    """
    prompt = assemble(turn=begun.turn)
    if prompt is None:
        nothing = Thought(code="nothing_left", error="There was nothing left to answer.")
        act.give_up(begun=begun, thought=nothing)
        return
    faults.passing("prompt.assembled")
    thought = think(begun=begun, prompt=prompt, is_interrupted=is_interrupted)
    if thought.code == "stopped":
        act.give_up(begun=begun, thought=thought)
        return
    act.remember(begun=begun, prompt=prompt)
    faults.passing("memory.written")
    if thought.code:
        act.give_up(begun=begun, thought=thought)
    else:
        act.speak(begun=begun, prompt=prompt, thought=thought)
        faults.passing("turn.ended")


@transaction.atomic
def park(lane: ClaimedLane) -> None:
    """Move a lane past what cannot be worked on, and bury the thought that was begun on it."""
    open_turns = turn_queries.list_open(room_id=lane.room_id, agent_ids=[lane.agent_id])
    stuck = [turn for turn in open_turns if (turn.trigger_id or 0) > lane.decided_through]
    through = max(
        (int(turn.context.get("through", 0)) for turn in stuck), default=lane.wanted_through
    )
    error = f"It failed {lanes.MAX_ATTEMPTS} times in a row."
    logger.error("lane %d is moved past message %d: %s", lane.id, through, error)
    if lanes.park(claimed=lane, through=max(through, lane.decided_through), error=error):
        for turn in stuck:
            turns.bury(turn=turn, error=error)


def _fail(lane: ClaimedLane, error: Exception) -> None:
    """Give a lane back for a later attempt; after the last one move it past the trouble."""
    if lane.attempts >= lanes.MAX_ATTEMPTS:
        park(lane)
        return
    told = error.message if isinstance(error, AgentError) else ""
    lanes.fail(claimed=lane, error=f"{type(error).__name__}: {told}".rstrip(": "))


@lru_cache(maxsize=1)
def crew() -> Crew:
    """Return this process's crew."""
    return Crew()


def start_lanes() -> int:
    """Put this process's crew on what is due and return at once; returns how many claims began."""
    return crew().pump()


def work_lanes(limit: int = CLAIM_AT_ONCE) -> int:
    """Claim due lanes, run them and whatever becomes due meanwhile, and wait for the end.

    Returns:
        How many claims were ended.
    """
    here = crew()
    before = here.lanes_done
    here.pump(limit=limit)
    here.wait()
    return here.lanes_done - before
