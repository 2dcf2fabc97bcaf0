"""The /metrics page of a simulated llama-server: no labels, counters that move when a request ends a phase."""

from __future__ import annotations

from quarterdeck.demo.load import Load


class MetricsPage:
    """One page per start of the server. Two of its gauges are averages since the last scrape, and reset by it."""

    def __init__(self, load: Load, *, process_start: int) -> None:
        """``process_start``: what the header Process-Start-Time-Unix says."""
        self.process_start = process_start
        self._load = load
        self._last = (0, 0.0, 0, 0.0)

    def render(self) -> bytes:
        """The page as of the load's last ``advance``."""
        tally = self._load.tally
        prompt, prompt_s = tally.prompt_tokens - tally.prompt_cached, tally.prefill.sum
        made, made_s = tally.finished_tokens, tally.decode.sum
        was_prompt, was_prompt_s, was_made, was_made_s = self._last
        self._last = (prompt, prompt_s, made, made_s)
        busy = tally.iteration.sum - prompt
        lines = (
            ("prompt_tokens_total", "Number of prompt tokens processed, excluding cached tokens", prompt),
            ("prompt_tokens_cached_total", "Number of prompt tokens reused from the cache", tally.prompt_cached),
            ("prompt_seconds_total", "Total time spent processing prompts", prompt_s),
            ("tokens_predicted_total", "Number of generation tokens processed", made),
            ("tokens_predicted_seconds_total", "Total time spent generating tokens", made_s),
            (
                "n_decode_total",
                "Total number of llama_decode() calls, excluding speculative decoding and multimodal decoding",
                tally.iteration.count,
            ),
            ("n_tokens_max", "Largest observed sequence length (prompt + generation)", tally.longest),
            ("spec_decode_num_draft_tokens_total", "Speculative: Total draft tokens generated", 0),
            (
                "spec_decode_num_accepted_tokens_total",
                "Speculative: Total draft tokens accepted by the target model",
                0,
            ),
            ("spec_decode_num_drafts_total", "Speculative: Total speculative decoding verification steps", 0),
            (
                "prompt_tokens_seconds",
                "Average prompt throughput in tokens/s",
                _rate(prompt - was_prompt, prompt_s - was_prompt_s),
            ),
            (
                "predicted_tokens_seconds",
                "Average generation throughput in tokens/s",
                _rate(made - was_made, made_s - was_made_s),
            ),
            ("requests_processing", "Number of requests processing", self._load.running),
            ("requests_deferred", "Number of requests deferred", self._load.waiting),
            (
                "n_busy_slots_per_decode",
                "Average number of busy slots per llama_decode() call",
                _rate(busy, tally.iteration.count),
            ),
        )
        return "".join(_line(index, *line) for index, line in enumerate(lines)).encode()


def _rate(count: float, over: float) -> float:
    return count / over if over > 0 else 0.0


def _line(index: int, name: str, text: str, value: float) -> str:
    kind = "counter" if index < 10 else "gauge"
    # Six digits, as a C++ stream prints a double: past a million the last digits of a counter are gone.
    return f"# HELP llamacpp:{name} {text}\n# TYPE llamacpp:{name} {kind}\nllamacpp:{name} {value:.6g}\n"
