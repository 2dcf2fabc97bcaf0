"""Fatal texts that any server can write, as reasons with what to try."""

from __future__ import annotations

import re
from collections.abc import Iterable

from quarterdeck.model.startup.lines import quoted
from quarterdeck.model.startup.state import Cause

SEE_LOG = "its log says more"
NUMBER = r"(\d{1,9}(?:\.\d{1,6})?)"
KILLED = (
    "it was killed (signal 9), most often because the machine ran out of memory",
    "try a smaller model or context, or a machine with more memory; `dmesg` tells whether it was the kernel",
)
SILENT = (
    "the server failed to start and gave no error",
    "its log may say more; where it doesn't, look for the kernel's out-of-memory killer with `dmesg`",
)
"""vLLM says nothing of a process that was killed while it started, but that it is gone."""
_HELP = "compare with its --help"


def of(line: str, table: Iterable[Cause]) -> tuple[str, str] | None:
    """The cause and the advice that ``line`` stands for, by the first entry of ``table`` that knows it."""
    for cause in table:
        found = cause.pattern.search(line)
        if found is not None:
            return cause.say(found)
    return None


def cause(pattern: str, say: str, advice: str = "", flags: int = 0) -> Cause:
    """An entry whose words take the pattern's groups by number: {1}."""

    def words(found: re.Match[str]) -> tuple[str, str]:
        parts = ["", *(quoted(group or "", 80) for group in found.groups())]
        return say.format(*parts), advice.format(*parts)

    return Cause(re.compile(pattern, flags), words)


def in_use(port: str) -> tuple[str, str]:
    """The port is taken; "" where it isn't told which."""
    return (
        f"port {port} is already in use" if port else "its port is already in use",
        "stop what listens there, or choose another port",
    )


def _unknown_arguments(found: re.Match[str]) -> tuple[str, str]:
    names = [word.partition("=")[0] for word in found[1].split() if word.startswith("-")]
    return f"it doesn't know {quoted(', '.join(names) or 'an argument it was given', 80)}", _HELP


COMMON = (
    Cause(re.compile(r"listen tcp \S{0,60}?:(\d{1,5}): bind: (?:address already in use|Only one usage)"), lambda found: in_use(found[1])),
    Cause(re.compile(r"(?i)(?:address|port (\d{1,5}) is) already in use(?!\. Retrying)|\bEADDRINUSE\b|only one usage of each socket address"), lambda found: in_use(found[1] or "")),
    cause(r"(?i)bind\S{0,20}: permission denied", "it may not listen on its port", "try a port above 1023, or another user"),
    cause(r"(?i)cannot assign requested address", "the host it should listen on is no address of this machine", "try another --host"),
    cause(r"(?i)no space left on device|disk quota exceeded", "the disk is full", "make room, or point the cache at another disk"),
    cause(r"CUDA out of memory\. Tried to allocate " + NUMBER + r" ([KMGT]iB)\.(?: GPU (\d{1,3}) has a total capacity of " + NUMBER + r" ([KMGT]iB) of which " + NUMBER + r" ([KMGT]iB) is free)", "GPU {3} ran out of memory: {1} {2} more were asked for, {6} {7} of {4} {5} are free", "try a smaller context or batch, quantized weights, or more GPUs"),
    cause(r"CUDA out of memory\. Tried to allocate " + NUMBER + r" ([KMGT]iB)", "a GPU ran out of memory: {1} {2} more were asked for", "try a smaller context or batch, quantized weights, or more GPUs"),
    cause(r"(?i)CUDA out of memory|CUDA error: out of memory|torch\.(?:cuda\.)?OutOfMemoryError|HIP out of memory", "a GPU ran out of memory", "try a smaller context or batch, quantized weights, or more GPUs"),
    cause(r"(?i)NVIDIA driver on your system is too old(?: \(found version (\d{1,8})\))?|CUDA driver version is insufficient|unsupported display driver / cuda driver combination", "the NVIDIA driver is too old for this build", "install a newer driver, or a build for the driver's CUDA version"),
    cause(r"No CUDA GPUs are available|Found no NVIDIA driver|no CUDA-capable device is detected", "it sees no NVIDIA GPU", "check nvidia-smi, CUDA_VISIBLE_DEVICES, and that a container was given the GPUs"),
    cause(r"no kernel image is available for execution", "this build has no code for this GPU", "install a build for its compute capability"),
    Cause(re.compile(r"error: unrecognized arguments: (.{1,1000})"), _unknown_arguments),
    cause(r"error: argument ([-\w/, ]{1,80}): (?:invalid|expected|not allowed)", "the value of {1} is none that it takes", _HELP),
    cause(r"error: the following arguments are required: ([-\w/, ]{1,200})", "it wasn't told {1}", _HELP),
    cause(r"(?i)\bOut of memory: Killed process|^Killed$|died unexpectedly \(exit code: -9\)|std::bad_alloc|^MemoryError", *KILLED),
    cause(r"ModuleNotFoundError: No module named '(vllm|torch|sglang)[\w.]{0,60}'", "{1} is not installed where it was started", "start it with the Python that has it"),
    cause(r"(?:command not found|: not found)$", "its program is not there", "give the full path of the program"),
)  # fmt: skip
