/* A simulated libnvidia-ml.so.1: what its parts share. See README.md beside it. */
#ifndef FAKE_H
#define FAKE_H
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))
typedef int Result;
typedef unsigned int U32;
typedef unsigned long long U64;

enum {
    OK = 0,
    UNINITIALIZED = 1,
    BAD_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    TOO_SMALL = 7,
    TIMED_OUT = 10,
    GPU_LOST = 15,
    OTHER_VERSION = 25,
    HANGS = -1
};
enum { MOST_GPUS = 64, MOST_PROCESSES = 512, MOST_FAILURES = 256, MOST_SLICES = 7, MOST_XIDS = 256 };

/* What the control file may set of a GPU, by these names. */
#define NUMBERS(X)                                                                                                     \
    X(util)                                                                                                            \
    X(temp)                                                                                                            \
    X(power_w)                                                                                                         \
    X(mem_mib)                                                                                                         \
    X(fan) X(ecc_cor) X(ecc_unc) X(throttle) X(sm_clock) X(mem_temp) X(encoder) X(decoder) X(pstate) X(pcie_gen)       \
        X(pcie_width) X(pcie_sent) X(pcie_received) X(nvlinks) X(nvlink_down) X(nvlink_errors) X(remapped)             \
            X(remap_pending) X(remap_failed) X(delay_ms)
#define AS_ENUM(name) K_##name,
enum { NUMBERS(AS_ENUM) NUMBER_COUNT };

typedef struct {
    int gpu;
    int slice; /* -1: the whole GPU, else its MIG instance */
} Device;
typedef Device *Handle;

typedef struct {
    char profile[32];
    U64 total_mib, used_mib;
} Slice;

typedef struct {
    int gpu; /* -1: every one */
    U32 pid;
    U64 mib;
    char kind; /* C, G or M */
} Process;

typedef struct {
    int gpu;
    U64 number;
} Event;

extern int gpu_count, process_count, xid_count;
extern int slice_count[MOST_GPUS];
extern Device gpus[MOST_GPUS], slices[MOST_GPUS][MOST_SLICES];
extern Slice slice_of[MOST_GPUS][MOST_SLICES];
extern Process processes[MOST_PROCESSES];
extern Event xids[MOST_XIDS];
extern U64 memory_bytes;
extern char gpu_name[96];
extern int without_fan, pcie_ms;

/* Seconds since 1970, or FAKE_NVML_FREEZE. */
double now(void);
/* What `number` of a GPU is set to by the control file, else `otherwise`. */
double number_of(int gpu, int number, double otherwise);
/* Reads the control file again if it changed, waits as it says, and says whether `function` fails on this device. */
Result check(Handle device, const char *function);
/* Reads the control file again if it changed; never returns where that says so of a function that asks no device. */
void may_hang(const char *function);
/* Whether nvmlInit was called. */
int is_started(void);
/* Whether there is a control file, so that anything may happen. */
int is_controlled(void);
Result copy(char *to, U32 size, const char *from);

double utilization(int gpu);
double temperature(int gpu);
double power(int gpu);
double memory_mib(int gpu);

#define RESERVED_BYTES (600ULL << 20)
/* The start of every function that asks a device. */
#define CHECK                                                                                                          \
    do {                                                                                                               \
        Result failed = check(device, __func__);                                                                       \
        if (failed) return failed;                                                                                     \
    } while (0)
#endif
