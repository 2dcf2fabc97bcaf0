"""NVML's error codes in words a person can act on."""

from __future__ import annotations

UNINITIALIZED = 1
NOT_SUPPORTED = 3
NOT_FOUND = 6
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
VERSION_MISMATCH = 18
UNKNOWN = 999

NONSENSE = "the driver's answer makes no sense"

_STARTING = {
    UNINITIALIZED: "the NVIDIA driver was unloaded or reloaded",
    4: "no permission to use the NVIDIA driver",
    DRIVER_NOT_LOADED: "NVIDIA driver not loaded",
    TIMEOUT: "the NVIDIA driver timed out",
    LIBRARY_NOT_FOUND: "no NVIDIA driver on this machine",
    FUNCTION_NOT_FOUND: "NVIDIA driver too old",
    GPU_IS_LOST: "the NVIDIA driver has lost a GPU; reset it or reboot",
    RESET_REQUIRED: "a GPU needs a reset",
    17: "the operating system blocks the NVIDIA driver",
    VERSION_MISMATCH: "NVIDIA driver and library versions differ: reboot or reload the driver",
    20: "the NVIDIA driver is out of memory",
    27: "the NVIDIA driver is not ready yet",
    UNKNOWN: "the NVIDIA driver fails for a reason it doesn't name (does nvidia-smi work?)",
}
_GETTER = {
    2: "refused by the driver as an invalid question",
    NOT_SUPPORTED: "not supported by this GPU",
    4: "no permission",
    NOT_FOUND: "not found",
    TIMEOUT: "the driver timed out",
    FUNCTION_NOT_FOUND: "the driver is too old to tell",
    14: "the GPU's inforom is corrupted",
    GPU_IS_LOST: "lost (fell off the bus); reset it or reboot",
    RESET_REQUIRED: "needs a reset",
    17: "blocked by the operating system",
    19: "in use",
    20: "the driver is out of memory",
    21: "no data",
    25: "driver and library disagree on the format",
    27: "not ready yet",
    28: "not found",
    UNKNOWN: "the driver fails for a reason it doesn't name",
}


def code_of(error: BaseException) -> int | None:
    """The NVML return code an error carries; ``None`` for an error that is none of NVML's."""
    value = getattr(error, "value", None)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def starting_words(error: BaseException) -> str:
    """Why NVML can't be used at all."""
    code = code_of(error)
    if code is None:
        if isinstance(error, ImportError):
            return "the Python package nvidia-ml-py is missing"
        return f"the NVIDIA driver can't be asked ({type(error).__name__})"
    return _STARTING.get(code, f"the NVIDIA driver fails with NVML error {code}")


def getter_words(error: BaseException) -> str:
    """Why one value of one GPU is missing."""
    code = code_of(error)
    if code is None:
        if isinstance(error, AttributeError):
            return "not known to this version of nvidia-ml-py"
        return f"{NONSENSE} ({type(error).__name__})"
    return _GETTER.get(code, f"NVML error {code}")
