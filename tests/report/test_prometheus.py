"""The page of metrics: read by the parsers of Prometheus' own client, held against the document of `status --json`."""

from __future__ import annotations

import math

import pytest

from exported import compared, everything, series, value
from fakes import endpoint_view, gpu, host_view, model, snapshot
from quarterdeck.model.gpu import GpuProcess, Holder, Xid
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import judged
from quarterdeck.report.json import document
from quarterdeck.report.prometheus import METRICS
from quarterdeck.report.prometheus.metric import Scope, at

# ---- equal to status --json


def test_every_number_of_the_document_is_on_the_page() -> None:
    fleet = everything()
    assert compared(document(fleet, judged(fleet, Limits())), series(fleet)) > 500


def test_the_comparison_can_fail() -> None:
    fleet = everything()
    whole, page = document(fleet, judged(fleet, Limits())), series(fleet)
    whole["hosts"][0]["gpus"][3]["power_w"] += 1
    with pytest.raises(AssertionError, match="power_w"):
        compared(whole, page)


def test_every_field_of_the_table_is_in_the_document() -> None:
    fleet = everything()
    whole = document(fleet, judged(fleet, Limits()))
    lists = {
        Scope.FLEET: [whole],
        Scope.ENDPOINT: whole["endpoints"],
        Scope.REPLICA: [one for each in whole["endpoints"] for one in each["replicas"]],
        Scope.MODEL: [one for each in whole["endpoints"] for one in each["models"]],
        Scope.HOST: whole["hosts"],
        Scope.GPU: [one for each in whole["hosts"] for one in each["gpus"]],
        Scope.MIG: [one for each in whole["hosts"] for card in each["gpus"] for one in card["mig"]],
    }
    unknown = [
        metric.json_path
        for metric in METRICS
        if metric.scope in lists and all(at(one, metric.field) is None for one in lists[metric.scope])
    ]
    assert not unknown


def test_what_some_series_say() -> None:
    page = series(everything(), missed=3, jobs_known=True)
    assert value(page, "endpoint_up", endpoint="qwen-prod") == 1
    assert value(page, "endpoint_up", endpoint="coder-b") == 0
    assert value(page, "endpoint_state", endpoint="embed", state="STALLED") == 1
    assert value(page, "endpoint_state", endpoint="embed", state="OK") == 0
    assert value(page, "endpoint_poll_latency_seconds", endpoint="qwen-prod") == pytest.approx(0.012)
    assert value(page, "endpoint_time_to_first_token_seconds", endpoint="qwen-prod", window="last", quantile="0.5") > 0  # type: ignore[operator]
    assert value(page, "endpoint_requests_per_second", endpoint="qwen-prod", reason="abort") == 0.1
    assert value(page, "endpoint_estimated", endpoint="ollama-lab", field="running") == 1
    assert value(page, "engine_requests_finished_total", endpoint="qwen-prod", engine="0", reason="abort") == 12
    assert value(page, "endpoint_deployment_healthy", backend="hosted_vllm/qwen3-32b http://10.0.0.5:8000") == 0
    assert value(page, "endpoint_models", endpoint="ollama-lab", state="installed") == 2
    assert value(page, "gpu_throttle_reason", host="gpu-box-1-2", gpu="4", reason="power cap") == 1
    assert value(page, "gpu_sm_clock_hertz", host="gpu-box-1-2", gpu="0") == 1_755e6
    assert value(page, "endpoint_access_log_requests_per_second", endpoint="ollama-lab") == pytest.approx(14 / 60)
    assert value(page, "gpu_throttled", host="gpu-box-1-2", gpu="4") == 1
    assert value(page, "gpu_throttled", host="gpu-box-1-2", gpu="1") == 0
    assert value(page, "gpu_lost", host="gpu-box-1-2", gpu="5") == 1
    assert value(page, "gpu_xid_events", host="gpu-box-1-2", gpu="5", xid="79") == 1
    assert value(page, "gpu_xid_last_timestamp_seconds", xid="79") == pytest.approx(
        1_795_370_400 - 97, rel=0, abs=0.002
    )
    assert value(page, "gpu_ecc_uncorrected_errors_total", host="gpu-box-1-2", gpu="4") == 2
    assert value(page, "gpu_orphan_bytes", host="gpu-box-1-2", gpu="3") == int(31.4 * 2**30)
    assert value(page, "gpu_orphan_bytes", host="gpu-box-1-2", gpu="0") == 0
    assert value(page, "polls_missed_total") == 3
    assert value(page, "jobs", state="running") == 1
    assert value(page, "jobs", state="queued") == 0


# ---- unknown is no series


def test_unknown_is_no_series() -> None:
    silent = endpoint_view(
        "far", state=None, version=None, engine=None, since=None, answered=None, latency_s=None, kv_used=math.nan
    )
    bare = host_view(
        "x", gpu(0, None, power_w=None), cpu=None, memory_used_bytes=None, memory_total_bytes=None, at=None
    )
    page = series(snapshot(silent, hosts=(bare,)))
    told = {name.removeprefix("quarterdeck_endpoint_") for name, labels in page if ("endpoint", "far") in labels}
    assert told == {"info", "poll_interval_seconds", "protected"}
    of_gpu = {name for name, labels in page if ("host", "x") in labels}
    assert not of_gpu & {
        "quarterdeck_gpu_utilization_ratio",
        "quarterdeck_gpu_power_watts",
        "quarterdeck_gpu_processes",
    }
    assert not of_gpu & {
        "quarterdeck_host_cpu_usage_ratio",
        "quarterdeck_gpu_orphan_bytes",
        "quarterdeck_gpu_throttled",
    }
    assert not {name for name, _ in page} & {"quarterdeck_jobs", "quarterdeck_polls_missed_total"}


def test_memory_that_is_not_told_of_one_process_makes_no_sum() -> None:
    orphans = (GpuProcess(1, 5, holder=Holder.ORPHAN), GpuProcess(2, None, holder=Holder.ORPHAN))
    page = series(snapshot(hosts=(host_view("x", gpu(0, processes=(*orphans, GpuProcess(3, 7)))),)))
    assert value(page, "gpu_orphan_bytes") is None
    assert value(page, "gpu_held_bytes", holder="orphan") is None
    assert value(page, "gpu_held_bytes", holder="other") == 7
    assert value(page, "gpu_processes", holder="orphan") == 2


def test_the_newest_event_of_a_number_counts() -> None:
    heard = (Xid(79, 9_990.0), Xid(79, 9_980.0), Xid(79), Xid(31))
    page = series(snapshot(hosts=(host_view("x", gpu(0, xids=heard)),)))
    moment = value(page, "snapshot_timestamp_seconds")
    assert moment is not None
    assert value(page, "gpu_xid_last_timestamp_seconds", xid="79") == pytest.approx(moment - 10, rel=0, abs=0.002)
    assert value(page, "gpu_xid_last_timestamp_seconds", xid="31") is None
    assert value(page, "gpu_xid_events", xid="79") == 3


def test_never_is_infinite() -> None:
    page = series(snapshot(endpoint_view("a", models=(model("m", expires_at=math.inf), model("n")))))
    assert value(page, "model_expiry_timestamp_seconds", model="m") == math.inf
    assert value(page, "model_expiry_timestamp_seconds", model="n") is None
