"""Text of other machines (nvidia-smi, /proc, df, ps, ssh itself): what it says, and what nonsense does to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.hosts.ssh import procfs, smi_csv, smi_text
from quarterdeck.hosts.ssh.processes import described
from quarterdeck.hosts.ssh.procfs import PsRow
from quarterdeck.hosts.ssh.script import MOST_BYTES, MOST_LINES, Answers, ask_gpus, ask_processes
from quarterdeck.hosts.ssh.smi_csv import FIELDS, fields_after, smi_gpus, with_lost
from quarterdeck.hosts.ssh.words import channel_words, hint, refuses_us, ssh_words
from quarterdeck.hosts.throttling import throttle_words
from quarterdeck.model.gpu import GpuProcess

MIB = 2**20
SHORT = ("index", "uuid", "pci.bus_id", "name", "utilization.gpu", "memory.total", "memory.used", "power.draw")


def test_values_that_a_card_cannot_tell() -> None:
    row = "3, GPU-1, 00000000:19:00.0, NVIDIA GB10, 12, [N/A], [Not Supported], [Unknown Error]"
    (gpu,) = smi_gpus([row], SHORT).gpus
    assert (gpu.index, gpu.name, gpu.utilization) == (3, "NVIDIA GB10", 0.12)
    assert (gpu.memory_total_bytes, gpu.memory_used_bytes, gpu.power_w, gpu.lost) == (None, None, None, False)
    assert gpu.problems == ("memory used, memory total, power, power limit, temperature: unknown error",)
    assert gpu.unified, "it has no memory of its own"
    (other,) = smi_gpus(["0, GPU-1, 00000000:19:00.0, H100, 12, [Unknown Error], [Unknown Error], 7"], SHORT).gpus
    assert not other.unified


def test_a_card_that_supports_little() -> None:
    (gpu,) = smi_gpus(["0, GPU-1, 00000000:19:00.0, NVIDIA GB10, 12, [N/A], [N/A], 14.2"], SHORT).gpus
    assert gpu.problems == ("memory used, memory total, power limit, temperature: not supported by this GPU",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ()),
        ("No devices were found", ("No devices were found",)),
        ("0, GPU-1", ("0, GPU-1",)),
        ("\x1b[31mred\x1b[0m\x07", ("red",)),
        ("a, b, c, d, e, f, g, h", ("a, b, c, d, e, f, g, h",)),
    ],
)
def test_what_is_no_row_is_kept_as_words(line: str, words: tuple[str, ...]) -> None:
    table = smi_gpus([line], SHORT)
    assert (table.gpus, table.words) == ((), words)


def test_rows_are_put_in_order_and_told_apart() -> None:
    rows = [f"{i}, GPU-{i}, 00000000:1{i}:00.0, H100, 5, 100, 5, 7" for i in (2, 0, 1)]
    table = smi_gpus(rows, SHORT)
    assert [gpu.index for gpu in table.gpus] == [0, 1, 2]
    assert table.buses == {f"GPU-{i}": f"00000000:1{i}:00.0" for i in (2, 0, 1)}


def test_fields_that_a_driver_does_not_know() -> None:
    said = ['Field "clocks_event_reasons.active" is not a valid field to query.', ""]
    older = fields_after(FIELDS, said)
    assert older is not None
    assert "clocks_throttle_reasons.active" in older
    assert len(older) == len(FIELDS)
    said = ['Field "clocks_throttle_reasons.active" is not a valid field to query.']
    without = fields_after(older, said)
    assert without is not None
    assert len(without) == len(FIELDS) - 1
    assert fields_after(without, ["NVIDIA-SMI has failed"]) is None
    strange = fields_after(without, ['Field "utilisation" is not a valid field to query.'])
    assert strange == (
        "index",
        "uuid",
        "name",
        "utilization.gpu",
        "memory.total",
        "memory.used",
        "power.draw",
        "temperature.gpu",
    )


def test_a_row_of_a_lost_gpu_keeps_the_last_values() -> None:
    good = smi_gpus([f"{i}, GPU-{i}, 00000000:1{i}:00.0, H100, 5, 100, 5, 7" for i in (0, 1)], SHORT)
    lost_row = ", ".join(["1", "GPU-1", "00000000:11:00.0", *["[GPU is lost]"] * 5])
    rows = ["0, GPU-0, 00000000:10:00.0, H100, 6, 100, 5, 7", lost_row]
    table = with_lost(smi_gpus(rows, SHORT), good.gpus, good.buses)
    assert [(gpu.utilization, gpu.lost) for gpu in table.gpus] == [(0.06, False), (0.05, True)]
    words = "Unable to determine the device handle for GPU1: 0000:11:00.0: GPU is lost.  Reboot the system"
    table = with_lost(smi_gpus([rows[0], words], SHORT), good.gpus, good.buses)
    assert [(gpu.utilization, gpu.lost) for gpu in table.gpus] == [(0.06, False), (0.05, True)]
    assert [gpu.lost for gpu in with_lost(smi_gpus(rows[:1], SHORT), good.gpus, good.buses).gpus] == [False]


def test_processes() -> None:
    lines = [
        "42, GPU-0, 70000, /usr/bin/python3",
        "42, GPU-0, 1, again",
        "17, GPU-0, [N/A], /opt/a, with a comma",
        "7, GPU-1, 5, [Not Found]",
        "x, GPU-1, 5, y",
        "No running processes found",
    ]
    assert smi_csv.smi_processes(lines) == {
        "GPU-0": ((17, None, "/opt/a, with a comma"), (42, 70000 * MIB, "/usr/bin/python3")),
        "GPU-1": ((7, 5 * MIB, ""),),
    }


def test_what_is_only_said_in_prose() -> None:
    text = """
==============NVSMI LOG==============
Attached GPUs                             : 2
GPU 00000000:19:00.0
    Temperature
        GPU Current Temp                  : 41 C
        GPU Slowdown Temp                 : 89 C
GPU 00000000:3B:00.0
    Temperature
        GPU Slowdown T.Limit Temp         : -2 C
        GPU Slowdown Temp                 : N/A
"""
    assert smi_text.slowdown_temperatures(text.splitlines()) == {"00000000:19:00.0": (89.0, False)}
    listing = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa)
  MIG 3g.40gb     Device  0: (UUID: MIG-bbbb)
  MIG 1g.10gb     Device  1: (UUID: MIG-cccc)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-dddd)"""
    devices = smi_text.mig_devices(listing.splitlines())
    assert devices["GPU-aaaa"][0] == 0
    assert [(d.number, d.uuid, d.name) for d in devices["GPU-aaaa"][1]] == [
        (0, "MIG-bbbb", "3g.40gb"),
        (1, "MIG-cccc", "1g.10gb"),
    ]
    assert smi_text.cuda_version(["NVML version : 570.133", "CUDA Version        : 12.8"]) == "12.8"
    rows = smi_csv.remapped_rows(["GPU-0, 1, 2, No, Yes", "GPU-1, [N/A], [N/A], [N/A], [N/A]", "nonsense"])
    assert list(rows) == ["GPU-0"]
    assert (rows["GPU-0"].remapped_rows, rows["GPU-0"].remap_pending, rows["GPU-0"].remap_failed) == (3, False, True)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (0, ()),
        (1, ()),
        (4, ("power cap",)),
        (0x4 | 0x40 | 0x8, ("hardware slowdown", "hardware thermal slowdown", "power cap")),
        (0x1 | 0x2 | 0x100, ()),
        (0x2 | 0x4, ("power cap",)),
        (0x200 | 0x400, ("board limit", "reliability limit")),
        (0x8000, ("reason 0x8000",)),
        (None, None),
        (-1, None),
        (1.5, None),
        (float("nan"), None),
    ],
)
def test_throttle_reasons(mask: float | None, words: tuple[str, ...] | None) -> None:
    assert throttle_words(mask) == words


def test_proc_and_df() -> None:
    assert procfs.cpu_seconds(["cpu  100 20 30 1000 50 1 2 3 90 10", "cpu0 1 2 3 4"]) == (156.0, 1050.0)
    assert procfs.memory(["MemTotal:       1000 kB", "MemFree: 1 kB", "MemAvailable:    400 kB"]) == (
        600 * 1024,
        1000 * 1024,
    )
    assert procfs.memory(["MemTotal: 1000 kB", "MemFree: 100 kB", "Buffers: 50 kB", "Cached: 250 kB"]) == (
        600 * 1024,
        1000 * 1024,
    )
    assert procfs.memory(["MemTotal: 1000 kB"]) == (None, 1000 * 1024)
    df = ["Filesystem     1024-blocks      Used Available Capacity Mounted on", "/dev/vda1  1000 400 550 43% /"]
    assert procfs.disk(df) == (400 * 1024, 1000 * 1024)
    assert procfs.disk(["df: /: Permission denied"]) == (None, None)


VLLM = {
    10: PsRow(
        10,
        1,
        "ml",
        500,
        ("/usr/bin/python3", "/usr/bin/vllm", "serve", "Qwen/Q", "--port", "8001", "--api-key", "sk-x"),
    ),
    11: PsRow(11, 10, "ml", 490, ("VLLM::EngineCore",)),
    1: PsRow(1, 0, "root", 9000, ("/sbin/init",)),
}


def test_a_worker_is_known_by_its_server() -> None:
    process = described(GpuProcess(11, 5), VLLM, 10_000.0)
    assert (process.name, process.user, process.started, process.memory_bytes) == ("VLLM::EngineCore", "ml", 9510.0, 5)
    assert (process.engine, process.ports, process.told_port, process.orphaned) == ("vllm", None, 8001, False)
    assert process.serves == ("Qwen/Q",)
    assert "sk-x" not in (described(GpuProcess(10), VLLM, 0.0).name or "")


def test_a_worker_whose_server_is_gone() -> None:
    rows = {1: VLLM[1], 11: PsRow(11, 1, "ml", 490, ("VLLM::EngineCore",))}
    process = described(GpuProcess(11), rows, 0.0)
    assert (process.engine, process.told_port, process.orphaned) == ("vllm", None, True)
    rows = {11: PsRow(11, 2, "ml", 490, ("VLLM::EngineCore",))}
    assert not described(GpuProcess(11), rows, 0.0).orphaned, "who is above it can't be seen"
    loop = {11: PsRow(11, 12, "ml", 1, ("VLLM::EngineCore",)), 12: PsRow(12, 11, "ml", 1, ("VLLM::Worker",))}
    assert not described(GpuProcess(11), loop, 0.0).orphaned


@pytest.mark.parametrize(
    "first", [("vllm", "serve", "Qwen/Q"), ("/usr/bin/python3", "serve.py"), ("sglang::router",), ("/app/server",)]
)
def test_a_worker_of_a_containers_first_process_is_no_orphan(first: tuple[str, ...]) -> None:
    """Where the sshd runs inside the container."""
    rows = {1: PsRow(1, 0, "root", 500, first), 11: PsRow(11, 1, "root", 490, ("VLLM::EngineCore",))}
    assert not described(GpuProcess(11), rows, 0.0).orphaned


CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /home/me/.ssh/known_hosts:1
Host key for gpu-1 has changed and you have requested strict checking.
Host key verification failed."""


@pytest.mark.parametrize(
    ("said", "status", "words", "refused"),
    [
        (CHANGED, 255, "Host key for gpu-1 has changed and you have requested strict checking", True),
        (
            "No ED25519 host key is known for gpu-1 and you have requested strict checking.\nHost key verification failed.",
            255,
            "No ED25519 host key is known for gpu-1 and you have requested strict checking",
            True,
        ),
        (
            "Warning: Permanently added 'x' to the list.\nme@x: Permission denied (publickey,password).",
            255,
            "me@x: Permission denied (publickey,password)",
            True,
        ),
        (
            "ssh: Could not resolve hostname gpu-1: Name or service not known\r",
            255,
            "Could not resolve hostname gpu-1: Name or service not known",
            False,
        ),
        (
            "me@jump: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535",
            255,
            "me@jump: Permission denied (publickey)",
            True,
        ),
        ("Timeout, server gpu-1 not responding.", 255, "Timeout, server gpu-1 not responding", False),
        (
            "/home/me/.ssh/config: line 3: Bad configuration option: nonsense",
            255,
            "/home/me/.ssh/config: line 3: Bad configuration option: nonsense",
            False,
        ),
        ("Connection to gpu-1 closed by remote host.", 255, "Connection to gpu-1 closed by remote host", False),
        ("\x1b[2J\x07evil \u202ebanner", 255, "evil banner", False),
        ("", 255, "ssh ended with exit status 255", False),
        ("", 0, "the connection is closed", False),
        ("", -9, "ssh was ended by signal 9", False),
    ],
)
def test_sshs_own_words(said: str, status: int, words: str, refused: bool) -> None:
    found = ssh_words(said.split("\n"), status)
    assert (found, refuses_us(found)) == (words, refused)


def test_what_to_do_about_it() -> None:
    assert hint("Host key verification failed", "box") == "connect once by hand: ssh box"
    assert "ssh-keygen -R" in hint("Host key for box has changed and …", "box")
    assert hint("Permission denied (publickey)", "box") == ""
    assert channel_words("channel 3: open failed: connect failed: No route to host") == "No route to host"
    assert channel_words("channel 3: open failed: administratively prohibited: open failed") == "open failed"
    assert channel_words("Connection closed") is None


def test_answers_come_in_any_pieces() -> None:
    text = b"motd\n@ stat 0\nm ready Linux\nm 1 cpu  1 2\nm 1 @ stat 0\nm 2 row\nm 1 @ disk 1\nm 2 @ gpus 0\nm 1\nm 2\n"
    for size in (1, 2, 7, len(text)):
        answers = Answers("m")
        found = [a for at in range(0, len(text), size) for a in answers.feed(text[at : at + size])]
        assert [answer.number for answer in found] == [1, 2]
        assert (found[0].lines("stat"), found[0].lines("disk"), found[1].lines("gpus")) == (("cpu  1 2",), (), ("row",))
        assert (answers.system, answers.greeting) == ("Linux", "@ stat 0")


def test_an_endless_answer_fills_no_memory() -> None:
    answers = Answers("m")
    answers.feed(b"m 1 x\n" * (MOST_LINES + 50))
    (answer,) = answers.feed(b"m 1\n")
    assert answer._lines == ["x"] * MOST_LINES
    assert not answers.foreign
    answers.feed(b"y" * (MOST_BYTES + 1))
    assert answers.foreign
    answers = Answers("m")
    answers.feed(b"".join(b"m %d x\n" % number for number in range(1000)))
    assert len(answers._open) <= 16


def test_what_is_asked_cannot_be_read_as_more_than_one_command() -> None:
    line = ask_gpus(5, ("index", "a'; rm -rf /; '"), everything=True)
    assert line.count(b"\n") == 1
    assert b"""qd_g 5 'index,a'"'"'; rm -rf /; '"'"'' all whole &""" in line
    assert b"qd_p 6 '1 2'" in ask_processes(6, (1, 2))


_lines = st.lists(
    st.text(max_size=80) | st.from_regex(r"\d+, GPU-\d, [^,]{1,20}, .{1,10}(, \S{1,8}){4}", fullmatch=True), max_size=6
)


@given(_lines)
def test_whatever_is_printed_is_read(lines: list[str]) -> None:
    for gpu in smi_gpus(lines, SHORT).gpus:
        assert 0 <= gpu.index < 10_000
        assert gpu.utilization is None or 0 <= gpu.utilization <= 1
        assert all(text.isprintable() for text in (gpu.uuid or "x", gpu.name or "x", *gpu.problems))
    assert all(word.isprintable() for word in smi_gpus(lines, SHORT).words)
    smi_csv.smi_processes(lines)
    smi_csv.remapped_rows(lines)
    smi_text.slowdown_temperatures(lines)
    smi_text.mig_devices(lines)
    used, total = procfs.memory(lines)
    assert used is None or (total is not None and 0 <= used <= total)
    procfs.disk(lines)
    procfs.cpu_seconds(lines)
    assert ssh_words(lines, 255).isprintable()
    for pid in procfs.processes(lines):
        described(GpuProcess(pid), procfs.processes(lines), 0.0)


@given(st.binary(max_size=400))
def test_whatever_comes_is_no_exception(data: bytes) -> None:
    answers = Answers("m")
    for part in (data, b"\nm 1 " + data, b"\nm 1\n"):
        for answer in answers.feed(part):
            assert answer.number >= 0
