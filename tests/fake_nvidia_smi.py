"""An ``nvidia-smi`` in shell: two GPUs, or whatever a test wants it to say instead."""

from __future__ import annotations

from pathlib import Path

_PROGRAM = r"""#!/bin/sh
# What the file "mode" beside this program says: healthy, old, hang, absent, broken, lost, none, shared, split.
mode=$(cat "$(dirname "$0")/mode" 2>/dev/null)
case $mode in
  hang) exec sleep 1000;;
  broken) echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."; exit 9;;
  none) echo "No devices were found"; exit 6;;
esac
row() {
  case $mode,$1,$2 in shared,*,memory.*|split,1,memory.*|split,1,utilization.*) echo "[N/A]"; return;; esac
  case $2 in
    index) echo "$1";; uuid) echo "GPU-fa4e-000$1";; pci.bus_id) echo "00000000:1$1:00.0";;
    name) echo "NVIDIA H100 80GB HBM3";; driver_version) echo 570.133.20;;
    utilization.gpu) echo "4$1";; utilization.memory) echo 12;; memory.total) echo 81559;; memory.used) echo 70000;;
    memory.reserved) echo 600;; power.draw) echo 312.50;; enforced.power.limit|power.limit) echo 700.00;;
    temperature.gpu) echo 61;; temperature.memory) echo 70;; fan.speed) echo "[N/A]";; pstate) echo P0;;
    clocks.sm|clocks.max.sm) echo 1980;; clocks.mem|clocks.max.mem) echo 2619;;
    clocks_event_reasons.active|clocks_throttle_reasons.active) echo 0x0000000000000004;;
    mig.mode.current) [ "$mode,$1" = split,1 ] && echo Enabled || echo "[N/A]";;
    pcie.link.gen.*) echo 5;; pcie.link.width.*) echo 16;; *) echo 0;;
  esac
}
case "$1" in
  --query-gpu=*)
    fields=${1#--query-gpu=}
    case $mode,$fields in
      old,*clocks_event_reasons*) echo 'Field "clocks_event_reasons.active" is not a valid field to query.'; exit 2;;
      old,*utilization.encoder*) echo 'Field "utilization.encoder" is not a valid field to query.'; exit 2;;
    esac
    for gpu in 0 1; do
      if [ "$mode,$gpu" = lost,1 ]; then
        echo "Unable to determine the device handle for GPU1: 0000:11:00.0: GPU is lost.  Reboot the system to recover this GPU"
        continue
      fi
      line=
      for field in $(echo "$fields" | tr , ' '); do line="$line${line:+, }$(row $gpu "$field")"; done
      echo "$line"
    done
    [ "$mode" = lost ] && exit 15;;
  --query-compute-apps=*) cat "$(dirname "$0")/apps" 2>/dev/null;;
  --query-remapped-rows=*) echo "GPU-fa4e-0000, 0, 1, Yes, No";;
  --version) echo "NVIDIA-SMI version  : 570.133.20"; echo "CUDA Version        : 12.8";;
  -q) printf 'GPU 00000000:10:00.0\n    Temperature\n        GPU Slowdown Temp                 : 89 C\n';;
  -L)
    echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-fa4e-0000)"
    if [ "$mode" = split ]; then
      echo "GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-fa4e-0001)"
      echo "  MIG 3g.40gb     Device  0: (UUID: MIG-aaaa)"
      echo "  MIG 1g.10gb     Device  1: (UUID: MIG-bbbb)"
    fi;;
  "") cat "$(dirname "$0")/table" 2>/dev/null;;
esac
exit 0
"""


def install(folder: Path, mode: str = "healthy") -> Path:
    """Put it into ``folder``; its behaviour is what the file "mode" there says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nvidia-smi"
    path.write_text(_PROGRAM)
    path.chmod(0o755)
    (folder / "mode").write_text(mode)
    return path
