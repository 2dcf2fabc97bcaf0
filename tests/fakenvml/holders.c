/* MIG instances, processes, driver events. */
#include "fake.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

API Result nvmlDeviceGetMigMode(Handle device, U32 *current, U32 *pending) {
    CHECK;
    return *current = *pending = slice_count[device->gpu] > 0, OK;
}
API Result nvmlDeviceIsMigDeviceHandle(Handle device, U32 *to) {
    CHECK;
    return *to = device->slice >= 0, OK;
}
API Result nvmlDeviceGetMaxMigDeviceCount(Handle device, U32 *to) {
    CHECK;
    return *to = MOST_SLICES, OK;
}
API Result nvmlDeviceGetMigDeviceHandleByIndex(Handle device, U32 index, Handle *to) {
    CHECK;
    if (index >= (U32)slice_count[device->gpu]) return NOT_FOUND;
    return *to = &slices[device->gpu][index], OK;
}
API Result nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Handle device, Handle *to) {
    CHECK;
    if (device->slice < 0) return BAD_ARGUMENT;
    return *to = &gpus[device->gpu], OK;
}
API Result nvmlDeviceGetGpuInstanceId(Handle device, U32 *to) {
    CHECK;
    if (device->slice < 0) return NOT_SUPPORTED;
    return *to = (U32)device->slice + 1, OK;
}
API Result nvmlDeviceGetComputeInstanceId(Handle device, U32 *to) {
    CHECK;
    if (device->slice < 0) return NOT_SUPPORTED;
    return *to = 0, OK;
}

typedef struct {
    U32 pid;
    U64 bytes;
} Info1;
typedef struct {
    U32 pid;
    U64 bytes;
    U32 gpu_instance, compute_instance;
} Info2;

static int holds(const Process *process, int gpu, char kind) {
    return (process->gpu < 0 || process->gpu == gpu) && process->kind == kind;
}
/* Processes without a size share the memory of their GPU. */
static int list(int gpu, char kind, Info2 *to) {
    int count = 0, compute = 0;
    for (int i = 0; i < process_count; i++) compute += holds(&processes[i], gpu, 'C');
    U64 share = (U64)(memory_mib(gpu) * 0.97 / (compute ? compute : 1)) << 20;
    for (int i = 0; i < process_count; i++)
        if (holds(&processes[i], gpu, kind))
            to[count++] = (Info2){processes[i].pid, processes[i].mib ? processes[i].mib << 20 : share, ~0u, ~0u};
    return count;
}
static Result hand_out(Handle device, const char *function, char kind, U32 *room, void *to, int oldest) {
    Info2 all[MOST_PROCESSES];
    Result failed = check(device, function);
    if (failed) return failed;
    U32 count = (U32)list(device->gpu, kind, all), had = *room;
    *room = count;
    if (!count) return OK;
    if (!to || had < count) return TOO_SMALL;
    if (!oldest) return memcpy(to, all, count * sizeof *all), OK;
    for (U32 i = 0; i < count; i++) ((Info1 *)to)[i] = (Info1){all[i].pid, all[i].bytes};
    return OK;
}
#define LISTS(what, version, kind, oldest)                                                                             \
    API Result nvmlDeviceGet##what##RunningProcesses##version(Handle device, U32 *room, void *to) {                    \
        return hand_out(device, __func__, kind, room, to, oldest);                                                     \
    }
LISTS(Compute, , 'C', 1)
LISTS(Compute, _v2, 'C', 0)
LISTS(Compute, _v3, 'C', 0)
LISTS(Graphics, , 'G', 1)
LISTS(Graphics, _v2, 'G', 0)
LISTS(Graphics, _v3, 'G', 0)
LISTS(MPSCompute, , 'M', 1)
LISTS(MPSCompute, _v2, 'M', 0)
LISTS(MPSCompute, _v3, 'M', 0)

typedef struct {
    U32 pid;
    U64 bytes;
    U32 gpu_instance, compute_instance;
    U64 protected_bytes;
} Detail;
typedef struct {
    U32 version, mode, count;
    Detail *to;
} Details;
/* nvitop takes a driver without this function for one whose process lists are laid out otherwise. */
API Result nvmlDeviceGetRunningProcessDetailList(Handle device, Details *list_of) {
    Info2 all[MOST_PROCESSES];
    CHECK;
    if ((list_of->version >> 24) != 1) return OTHER_VERSION;
    U32 count = (U32)list(device->gpu, "CGM"[list_of->mode % 3], all), had = list_of->count;
    list_of->count = count;
    if (count && (!list_of->to || had < count)) return TOO_SMALL;
    for (U32 i = 0; i < count; i++) list_of->to[i] = (Detail){all[i].pid, all[i].bytes, ~0u, ~0u, 0};
    return OK;
}

typedef struct {
    U32 pid;
    U64 at;
    U32 sm, memory, encoder, decoder;
} Sample;
API Result nvmlDeviceGetProcessUtilization(Handle device, Sample *to, U32 *room, U64 since) {
    Info2 all[MOST_PROCESSES];
    CHECK;
    U32 count = (U32)list(device->gpu, 'C', all), had = *room;
    *room = count;
    (void)since;
    if (!count) return NOT_FOUND;
    if (!to || had < count) return TOO_SMALL;
    U32 share = (U32)(utilization(device->gpu) / count);
    for (U32 i = 0; i < count; i++) to[i] = (Sample){all[i].pid, (U64)(now() * 1e6) - 100000, share, share / 2, 0, 0};
    return OK;
}

/* Events: the "xid" lines that come to the control file after a set was made. */
enum { XID = 0x8, LOOK_EVERY_US = 5000, MOST_SLEPT_US = 250000 };
typedef struct {
    unsigned char wanted[MOST_GPUS];
    int next;
} Set;
typedef struct {
    Handle device;
    U64 type, data;
    U32 gpu_instance, compute_instance;
} EventData;

API Result nvmlDeviceGetSupportedEventTypes(Handle device, U64 *to) {
    CHECK;
    return *to = XID, OK;
}
API Result nvmlEventSetCreate(Set **set) {
    if (!is_started()) return UNINITIALIZED;
    may_hang(__func__);
    *set = calloc(1, sizeof **set);
    (*set)->next = xid_count;
    return OK;
}
API Result nvmlEventSetFree(Set *set) { return free(set), OK; }
API Result nvmlDeviceRegisterEvents(Handle device, U64 types, Set *set) {
    CHECK;
    if (types & ~(U64)XID) return NOT_SUPPORTED;
    return set->wanted[device->gpu] = 1, OK;
}
API Result nvmlEventSetWait_v2(Set *set, EventData *to, U32 ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double until = t.tv_sec + t.tv_nsec / 1e9 + ms / 1e3;
    for (;;) {
        if (!is_started()) return UNINITIALIZED;
        may_hang(__func__);
        while (set->next < xid_count) {
            Event event = xids[set->next++];
            if (event.gpu >= gpu_count || !set->wanted[event.gpu]) continue;
            *to = (EventData){&gpus[event.gpu], XID, event.number, ~0u, ~0u};
            return OK;
        }
        clock_gettime(CLOCK_MONOTONIC, &t);
        double left_us = (until - t.tv_sec - t.tv_nsec / 1e9) * 1e6;
        if (left_us <= 0) return TIMED_OUT;
        double most_us = is_controlled() ? LOOK_EVERY_US : MOST_SLEPT_US; /* a real driver sleeps until something happens */
        usleep((useconds_t)(left_us < most_us ? left_us + 1 : most_us));
    }
}
API Result nvmlEventSetWait(Set *set, EventData *to, U32 ms) { return nvmlEventSetWait_v2(set, to, ms); }
