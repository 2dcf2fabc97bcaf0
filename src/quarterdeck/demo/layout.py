"""Who is in the demo fleet: names, engines, hosts. Light, for the process that only wants to know what to expect."""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.model.fleet import Boundary

KEY_ENV = "QUARTERDECK_DEMO_KEY"
"""Environment variable with the key of the external endpoint."""

DCGM = "dcgm-exporter"


@dataclass(frozen=True, slots=True)
class Member:
    """One server of the fleet. ``host`` is ``None`` for the one that is somebody else's."""

    name: str
    engine: str
    host: str | None
    boundary: Boundary
    role: str = "endpoint"
    """"endpoint", or "host" for the exporter that tells of a machine's GPUs."""


QWEN = Member("qwen-chat", "vllm", "rotterdam", Boundary.VPC)
LLAMA = Member("llama-70b", "vllm", "antwerp", Boundary.VPC)
WORKBENCH = Member("workbench", "ollama", "antwerp", Boundary.LOCAL)
PILOT = Member("pilot", "llamacpp", "piraeus", Boundary.LOCAL)
MERIDIAN = Member("meridian", "openai", None, Boundary.EXTERNAL)
ROTTERDAM = Member("rotterdam", DCGM, "rotterdam", Boundary.VPC, "host")
ANTWERP = Member("antwerp", DCGM, "antwerp", Boundary.VPC, "host")
PIRAEUS = Member("piraeus", DCGM, "piraeus", Boundary.LOCAL, "host")

MEMBERS = (QWEN, LLAMA, WORKBENCH, PILOT, MERIDIAN, ROTTERDAM, ANTWERP, PIRAEUS)
