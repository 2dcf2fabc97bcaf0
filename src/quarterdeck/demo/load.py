"""The load of one inference engine, simulated: requests arrive, queue, are prefilled, decode in one batch, finish.

Driven by the times passed in (seconds of any monotonic scale) and a seed, so that the same calls give the same numbers.
Between two events nothing changes but the batch's progress: ``_progress`` counts decode steps, of which each running
request gets one token. All times and counts that a server shows follow from these requests, so they agree with each other.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque

from quarterdeck.demo.job import Job, Profile
from quarterdeck.demo.tally import Tally

LIMITS = (512, 1024, 2048, 4096)
"""``max_tokens`` that simulated clients ask for."""
BEAT_S = 1.0
ROUNDING = 1e-6
"""Steps; covers what is lost when a monotonic clock of 10⁶ s is divided by a step of 0.01 s."""
THERMAL_S = 18.0
"""Time constant with which a GPU warms up and cools down."""


class Load:
    """One engine. Call ``advance`` before reading anything."""

    def __init__(self, profile: Profile, *, seed: str, start: float) -> None:
        """``seed`` decides everything random; ``start`` is the moment of the first tick."""
        self.profile = profile
        self.tally = Tally()
        self.stalled = False
        self.boost = 1.0
        self.busy_s = 0.0
        """Integral of the utilisation over time; never falls."""
        self.warmth = 0.0
        """Utilisation smoothed as a heat sink would, 0–1."""
        self.last_finished: float | None = None
        self._arrivals = random.Random(f"{seed}:arrivals")
        self._steps = random.Random(f"{seed}:steps")
        self._now = self._born = self._stalled_at = self._since = self._prefill_free = start
        self._beat_at = start + BEAT_S
        self._phase = self._arrivals.uniform(0, math.tau)
        self._waiting: deque[Job] = deque()
        self._prefilling: deque[Job] = deque()
        self._decoding: list[tuple[float, int, Job]] = []
        self._slots = list(range(profile.max_seqs))
        self._reserved = 0
        self._numbers = 0
        self._progress = 0.0
        self._step = math.inf
        self._counted_tokens = self._counted_steps = 0
        self._next_arrival = start + self._gap()

    def advance(self, now: float) -> None:
        """Let everything happen that happens until ``now``; a time in the past changes nothing."""
        while (at := self._next_event()) <= now:
            self._pass(at)
            self._happen(at)
            self._admit(at)
            self._rebatch(at)
        if now > self._now:
            self._pass(now)

    def submit(self, prompt: int, output: int, limit: int, now: float) -> Job:
        """A real request joins the queue. Its progress is read with `generated` and ``job.finished``."""
        self.advance(now)
        job = self._enqueue(prompt, output, limit, self._now)
        self._admit(self._now)
        self._rebatch(self._now)
        return job

    def cancel(self, job: Job, now: float) -> None:
        """The client has gone: the request ends where it is, counted as aborted."""
        self.advance(now)
        if job.finished is None:
            if job.admitted is None:
                self._waiting.remove(job)
            self._finish(job, self._now, "abort")
            self._admit(self._now)
            self._rebatch(self._now)

    def stall(self, stalled: bool, now: float) -> None:
        """Stop or resume all work; requests keep arriving and wait."""
        self.advance(now)
        if stalled == self.stalled:
            return
        self.stalled = stalled
        if stalled:
            self._stalled_at = self._now
        else:
            self._shift_prefills(self._now - self._stalled_at)
        self._admit(self._now)
        self._rebatch(self._now)

    def generated(self, job: Job) -> int:
        """Output tokens ``job`` has so far."""
        if job.finished is not None:
            return job.made
        if job.first is None:
            return 0
        return 1 + min(job.output - 1, max(0, int(self._steps_at(self._now) - job.start + ROUNDING)))

    @property
    def running(self) -> int:
        """Requests in prefill or decoding."""
        return len(self._prefilling) + len(self._decoding)

    @property
    def waiting(self) -> int:
        """Requests not admitted yet."""
        return len(self._waiting)

    @property
    def jobs(self) -> list[Job]:
        """The running requests."""
        return [*self._prefilling, *(job for _, _, job in self._decoding)]

    @property
    def kv_used(self) -> float:
        """Fraction of the KV cache held by running requests."""
        held = sum(job.prompt + self.generated(job) for job in self.jobs)
        return min(1.0, held / self.profile.kv_tokens)

    @property
    def generation_tokens(self) -> int:
        """Counter: output tokens, those of running requests included."""
        return self.tally.finished_tokens + sum(self.generated(job) for _, _, job in self._decoding)

    @property
    def utilization(self) -> float:
        """Fraction of time with a kernel running. A stalled engine spins in its kernels: 1."""
        if not self.running:
            return 0.0
        return 1.0 if self.stalled else 0.62 + 0.36 * min(1.0, self.running / 12)

    def _next_event(self) -> float:
        events = [self._next_arrival, self._beat_at]
        if not self.stalled:
            if self._prefilling:
                events.append(self._prefilling[0].first_at or self._now)
            if self._decoding:
                events.append(max(self._now, self._since + (self._decoding[0][0] - self._progress) * self._step))
        return min(events)

    def _happen(self, now: float) -> None:
        if now >= self._next_arrival:
            self._arrive(now)
            self._next_arrival = now + self._gap()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            # A Poisson process has no memory: drawing again lets it follow a rate that changes.
            self._next_arrival = now + self._gap()
            target = 0.3 if self.stalled else self.utilization
            self.warmth += (target - self.warmth) * (1 - math.exp(-BEAT_S / THERMAL_S))
        if self.stalled:
            return
        while self._prefilling and (self._prefilling[0].first_at or now) <= now:
            self._first_token(self._prefilling.popleft(), now)
        while self._decoding and self._decoding[0][0] <= self._steps_at(now) + ROUNDING:
            job = self._decoding[0][2]
            self._finish(job, now, "length" if job.output >= job.limit else "stop")

    def _gap(self) -> float:
        """Seconds to the next arrival (a Poisson process with a slowly swinging rate)."""
        wave = 1 + self.profile.swing * math.sin(
            math.tau * (self._now - self._born) / self.profile.swing_s + self._phase
        )
        rate = self.profile.arrivals * wave * self.boost
        return self._arrivals.expovariate(rate) if rate > 0 else math.inf

    def _arrive(self, now: float) -> None:
        draw = self._arrivals
        prompt = int(min(12_000, max(16, draw.lognormvariate(math.log(self.profile.prompt_median), 0.9))))
        limit = draw.choice(LIMITS)
        output = int(min(limit, max(8, draw.lognormvariate(math.log(self.profile.output_median), 0.75))))
        job = self._enqueue(prompt, output, limit, now)
        if draw.random() < self.profile.cache_hits:
            job.cached = int(prompt * draw.uniform(0.3, 0.9)) // 16 * 16

    def _enqueue(self, prompt: int, output: int, limit: int, now: float) -> Job:
        room = max(2, self.profile.kv_tokens - 1)
        prompt = max(1, min(prompt, room // 2))
        self._numbers += 1
        job = Job(now, prompt, max(1, min(output, room - prompt)), limit, number=self._numbers)
        self._waiting.append(job)
        return job

    def _admit(self, now: float) -> None:
        while self._waiting and self._slots and not self.stalled:
            job = self._waiting[0]
            if self._reserved + job.prompt + job.output > self.profile.kv_tokens:
                return
            self._waiting.popleft()
            self._reserved += job.prompt + job.output
            job.slot = heapq.heappop(self._slots)
            job.admitted = now
            self._prefill_free = max(now + self.profile.overhead_s, self._prefill_free)
            self._prefill_free += (job.prompt - job.cached) / self.profile.prefill_tps
            job.first_at = self._prefill_free
            self._prefilling.append(job)
            self.tally.prefix_queries += job.prompt
            self.tally.prefix_hits += job.cached

    def _first_token(self, job: Job, now: float) -> None:
        job.first = now
        job.start = self._steps_at(now)
        tally = self.tally
        tally.prompt_tokens += job.prompt
        tally.prompt_cached += job.cached
        tally.ttft.observe(now - job.arrived)
        tally.iteration.observe(job.prompt - job.cached + len(self._decoding))
        heapq.heappush(self._decoding, (job.start + job.output - 1, job.number, job))
        self._counted_tokens += 1  # the first token has no inter-token latency

    def _finish(self, job: Job, now: float, reason: str) -> None:
        made = job.output if reason != "abort" else self.generated(job)
        job.finished, job.made = now, made
        self.last_finished = now
        if job.admitted is not None:
            self._reserved -= job.prompt + job.output
            heapq.heappush(self._slots, job.slot)
        if job.first is not None:
            self._decoding = [entry for entry in self._decoding if entry[2] is not job]
            heapq.heapify(self._decoding)
        elif job.admitted is not None:
            self._prefilling.remove(job)
        self._observe(job, now, reason)

    def _observe(self, job: Job, now: float, reason: str) -> None:
        tally = self.tally
        admitted = now if job.admitted is None else job.admitted
        first = now if job.first is None else job.first
        tally.finished[reason] += 1
        tally.finished_tokens += job.made
        tally.longest = max(tally.longest, job.prompt + job.made)
        tally.e2e.observe(now - job.arrived)
        tally.http_high.observe(now - job.arrived)
        tally.http_low.observe(now - job.arrived)
        tally.queue.observe(admitted - job.arrived)
        tally.inference.observe(now - admitted)
        tally.prefill.observe(first - admitted)
        tally.decode.observe(now - first)
        tally.per_token.observe((now - first) / max(1, job.made - 1))
        tally.request_prompt.observe(job.prompt)
        tally.request_generation.observe(job.made)
        tally.request_limit.observe(job.limit)
        tally.request_computed.observe(job.prompt - job.cached)

    def _shift_prefills(self, late: float) -> None:
        """After a stall: what was being prefilled needs the rest of its time."""
        for job in self._prefilling:
            job.first_at = (job.first_at or self._now) + late
        self._prefill_free += late

    def _steps_at(self, now: float) -> float:
        return self._progress + (now - self._since) / self._step

    def _pass(self, now: float) -> None:
        """Time passes and nothing happens but decoding: book the tokens and steps, each of which took ``_step`` seconds."""
        self.busy_s += self.utilization * (now - self._now)
        self._now = now
        if math.isinf(self._step):
            return
        tokens, steps = self.generation_tokens, int(self._steps_at(self._now) + ROUNDING)
        new, new_steps = tokens - self._counted_tokens, steps - self._counted_steps
        if new > 0:
            self.tally.itl.observe(self._step, new)
            self._counted_tokens = tokens
        if new_steps > 0:
            self.tally.iteration.observe(len(self._decoding), new_steps)
            self._counted_steps = steps

    def _rebatch(self, now: float) -> None:
        """The batch has changed (or a beat has passed): from here on a step takes another time."""
        self._progress = self._steps_at(now)
        self._since = now
        if self.stalled or not self._decoding:
            self._step = math.inf
            return
        step = self.profile.step_s + self.profile.step_per_seq_s * len(self._decoding)
        step *= self._steps.lognormvariate(0, 0.07)
        self._step = step * (1.45 if self._prefilling else 1.0) * (2.6 if self._steps.random() < 0.01 else 1.0)
