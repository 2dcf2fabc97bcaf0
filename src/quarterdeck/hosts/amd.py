"""AMD GPUs as the amdgpu driver shows them below /sys/class/drm (kernel documentation, "GPU sysfs files")."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from quarterdeck.format import printable
from quarterdeck.hosts.exporters.page import celsius, megahertz, missing, percent, share, size, small, watts
from quarterdeck.model.gpu import GpuView, PcieLink

_AMD = "0x1002"
_MOST_GPUS = 64
_LONGEST_FILE = 4096
_PCI_IDS = (Path("/usr/share/hwdata/pci.ids"), Path("/usr/share/misc/pci.ids"))
_GENERATIONS = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}
"""GT/s of a lane → PCIe generation."""
_ASLEEP = "it is switched off to save power, and asking would wake it"
_CARD = re.compile(r"card(\d{1,4})")
_CLOCK = re.compile(r"(\d{1,6})\s*[Mm][Hh]z")


def amd_gpus(sys: Path = Path("/sys"), pci_ids: tuple[Path, ...] = _PCI_IDS) -> tuple[GpuView, ...]:
    """The AMD GPUs of the machine whose /sys is ``sys``. Reads files, which can block on a sick GPU. Never raises."""
    try:
        found = [
            (int(match[1]), path) for path in (sys / "class" / "drm").iterdir() if (match := _CARD.fullmatch(path.name))
        ]
    except OSError:
        return ()
    devices = [path / "device" for _, path in sorted(found) if _text(path / "device" / "vendor") == _AMD]
    return tuple(_gpu(index, device, pci_ids) for index, device in enumerate(devices[:_MOST_GPUS]))


def amd_driver(sys: Path = Path("/sys")) -> str | None:
    """Version of the amdgpu module; ``None`` for the one that is part of the kernel."""
    return _text(sys / "module" / "amdgpu" / "version") or None


def _gpu(index: int, device: Path, pci_ids: tuple[Path, ...]) -> GpuView:
    hwmon = _hwmon(device)
    asleep = _text(device / "power" / "runtime_status") == "suspended"
    shared = hwmon is not None and (hwmon / "in1_label").exists()  # the northbridge's voltage: APUs alone have it
    used, total = _memory(device, shared=shared)
    view = GpuView(
        index,
        _text(device / "unique_id") or _slot(device),
        _text(device / "product_name") or _name(_text(device / "device"), pci_ids),
        memory_used_bytes=used,
        memory_total_bytes=total,
        unified=shared,
    )
    if asleep:
        return replace(view, problems=missing(view, _ASLEEP))
    view = _with_load(view, device)
    view = view if hwmon is None else _with_sensors(view, hwmon)
    return replace(view, problems=missing(view, "not told by the amdgpu driver"))


def _with_load(view: GpuView, device: Path) -> GpuView:
    return replace(
        view,
        utilization=percent(_number(device / "gpu_busy_percent")),
        memory_utilization=percent(_number(device / "mem_busy_percent")),
        sm_max_mhz=_fastest(device / "pp_dpm_sclk"),
        memory_max_mhz=_fastest(device / "pp_dpm_mclk"),
        pcie=_link(device),
    )


def _memory(device: Path, *, shared: bool) -> tuple[int | None, int | None]:
    """Used and total bytes: video memory, and with ``shared`` what the GPU may map of the machine's (GTT) as well."""
    used, total = (size(_number(device / f"mem_info_vram_{what}")) for what in ("used", "total"))
    if not shared:
        return used, total
    mapped, most = (size(_number(device / f"mem_info_gtt_{what}")) for what in ("used", "total"))
    return (
        used + mapped if used is not None and mapped is not None else None,
        total + most if total is not None and most is not None else None,
    )


def _with_sensors(view: GpuView, hwmon: Path) -> GpuView:
    draw = _number(hwmon / "power1_average")
    draw = draw if draw is not None else _number(hwmon / "power1_input")
    sensors = {_text(hwmon / f"temp{n}_label"): f"temp{n}" for n in (3, 2, 1)}
    core = sensors.get("edge") or sensors.get("junction") or "temp1"  # accelerators have no edge
    pulse, most = _number(hwmon / "pwm1"), _number(hwmon / "pwm1_max") or 255.0
    return replace(
        view,
        power_w=watts(draw / 1e6 if draw is not None else None),
        power_limit_w=_limit(hwmon),
        temperature_c=_milli(hwmon / f"{core}_input"),
        memory_temperature_c=_milli(hwmon / f"{sensors['mem']}_input") if "mem" in sensors else None,
        slowdown_c=_milli(hwmon / f"{core}_crit"),
        fan=share(pulse / most if pulse is not None and most > 0 else None),
        sm_mhz=_hertz(hwmon / "freq1_input"),
        memory_mhz=_hertz(hwmon / "freq2_input"),
    )


def _limit(hwmon: Path) -> float | None:
    cap = _number(hwmon / "power1_cap")
    return watts(cap / 1e6) if cap else None


def _milli(path: Path) -> float | None:
    value = _number(path)
    return celsius(value / 1000) if value is not None else None


def _hertz(path: Path) -> float | None:
    value = _number(path)
    return megahertz(value / 1e6) if value is not None else None


def _hwmon(device: Path) -> Path | None:
    try:
        return min((device / "hwmon").iterdir(), default=None)
    except OSError:
        return None


def _fastest(path: Path) -> float | None:
    """The highest clock of a table such as "0: 500Mhz\\n1: 2600Mhz *"."""
    clocks = [int(found) for found in _CLOCK.findall(_raw(path))]
    return megahertz(float(max(clocks))) if clocks else None


def _link(device: Path) -> PcieLink | None:
    link = PcieLink(
        _generation(device / "current_link_speed"),
        _generation(device / "max_link_speed"),
        small(_number(device / "current_link_width")),
        small(_number(device / "max_link_width")),
    )
    return link if link != PcieLink() else None


def _generation(path: Path) -> int | None:
    """Of "16.0 GT/s PCIe"."""
    speed = re.match(r"\d{1,3}(?:\.\d{1,2})?", _raw(path))
    return _GENERATIONS.get(float(speed[0])) if speed is not None else None


def _slot(device: Path) -> str | None:
    slot = re.search(r"^PCI_SLOT_NAME=(\S{1,20})$", _raw(device / "uevent"), re.MULTILINE)
    return slot[1] if slot is not None else None


def _name(device_id: str, pci_ids: tuple[Path, ...]) -> str:
    """The marketing name that the distribution's list of PCI devices has, else the number."""
    number = device_id.removeprefix("0x").lower()
    for path in pci_ids:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        vendor = text.partition("\n1002  ")[2]
        found = re.search(rf"^\t{re.escape(number)}  (.+)$", vendor, re.MULTILINE) if number else None
        if found is not None:
            bracketed = re.search(r"\[(.+)\]", found[1])
            return printable(f"AMD {bracketed[1] if bracketed else found[1]}", 60)
    return f"AMD GPU {device_id}".strip()


def _raw(path: Path) -> str:
    """A file's text; "" where it can't be read (a driver that sleeps answers with an error)."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_FILE).decode("utf-8", "replace")
    except OSError:
        return ""


def _text(path: Path) -> str:
    return printable(_raw(path), 100)


def _number(path: Path) -> float | None:
    text = _raw(path).strip()
    return float(text) if re.fullmatch(r"-?\d{1,18}", text) else None
