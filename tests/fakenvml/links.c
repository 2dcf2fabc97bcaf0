/* PCIe, NVLink, memory errors, field values. */
#include "fake.h"
#include <math.h>
#include <unistd.h>

enum { LINKS = 18 };

static U32 link_count(int gpu) { return (U32)number_of(gpu, K_nvlinks, LINKS); }
static int link_up(int gpu, U32 link) { return !((U64)number_of(gpu, K_nvlink_down, 0) >> link & 1); }
/* Errors of one kind on one link: as many as set on link 1, none on the others. */
static U64 link_errors(int gpu, U32 link) { return link == 1 ? (U64)number_of(gpu, K_nvlink_errors, 0) : 0; }

#define READS(name, expression)                                                                                        \
    API Result nvmlDeviceGet##name(Handle device, U32 *to) {                                                           \
        CHECK;                                                                                                         \
        return *to = (U32)(expression), OK;                                                                            \
    }
READS(CurrPcieLinkGeneration, number_of(device->gpu, K_pcie_gen, 5))
READS(MaxPcieLinkGeneration, 5)
READS(GpuMaxPcieLinkGeneration, 5)
READS(CurrPcieLinkWidth, number_of(device->gpu, K_pcie_width, 16))
READS(MaxPcieLinkWidth, 16)
READS(PcieReplayCounter, device->gpu == 3 ? 2 : 0)

API Result nvmlDeviceGetPcieThroughput(Handle device, int received, U32 *to) {
    CHECK;
    usleep(pcie_ms * 1000);
    double value = utilization(device->gpu) * (received ? 61000 : 23000) * (1 + 0.1 * sin(now()));
    return *to = (U32)number_of(device->gpu, received ? K_pcie_received : K_pcie_sent, value), OK;
}

API Result nvmlDeviceGetNvLinkState(Handle device, U32 link, U32 *to) {
    CHECK;
    if (!link_count(device->gpu)) return NOT_SUPPORTED;
    if (link >= link_count(device->gpu)) return BAD_ARGUMENT;
    return *to = link_up(device->gpu, link), OK;
}
API Result nvmlDeviceGetNvLinkErrorCounter(Handle device, U32 link, int kind, U64 *to) {
    CHECK;
    if (link >= link_count(device->gpu) || kind < 0 || kind > 4) return BAD_ARGUMENT;
    return *to = kind < 3 ? link_errors(device->gpu, link) : 0, OK;
}

static U64 errors_of(int gpu, int uncorrected) {
    return (U64)(uncorrected ? number_of(gpu, K_ecc_unc, 0) : number_of(gpu, K_ecc_cor, gpu == 5 ? 3 : 0));
}
API Result nvmlDeviceGetEccMode(Handle device, U32 *current, U32 *pending) {
    CHECK;
    return *current = *pending = 1, OK;
}
API Result nvmlDeviceGetTotalEccErrors(Handle device, int uncorrected, int since, U64 *to) {
    CHECK;
    return (void)since, *to = errors_of(device->gpu, uncorrected), OK;
}
API Result nvmlDeviceGetMemoryErrorCounter(Handle device, int uncorrected, int since, int part, U64 *to) {
    CHECK;
    return (void)since, *to = part == 2 ? errors_of(device->gpu, uncorrected) : 0, OK;
}
API Result nvmlDeviceGetRemappedRows(Handle device, U32 *corrected, U32 *uncorrected, U32 *pending, U32 *failed) {
    CHECK;
    *corrected = (U32)number_of(device->gpu, K_remapped, device->gpu == 5);
    *uncorrected = 0;
    *pending = (U32)number_of(device->gpu, K_remap_pending, 0);
    *failed = (U32)number_of(device->gpu, K_remap_failed, 0);
    return OK;
}

typedef struct {
    uint32_t id, scope;
    int64_t at, latency;
    U32 type;
    int result;
    union {
        U32 u32;
        U64 u64;
    } value;
} Field;
enum { UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3 };

static int field(int gpu, Field *to) {
    double memory_celsius = number_of(gpu, K_mem_temp, temperature(gpu) + 8);
    to->type = UNSIGNED_INT;
    to->value.u64 = 0;
    switch (to->id) {
    case 82: return to->value.u32 = (U32)memory_celsius, memory_celsius < 0 ? NOT_SUPPORTED : OK;
    case 91: return to->value.u32 = link_count(gpu), link_count(gpu) ? OK : NOT_SUPPORTED;
    case 161:
    case 162:
    case 163:
        if (to->scope >= link_count(gpu)) return BAD_ARGUMENT;
        return to->type = UNSIGNED_LONG_LONG, to->value.u64 = link_errors(gpu, to->scope), OK;
    case 185:
    case 186: return to->value.u32 = (U32)(power(gpu) * 1000), OK;
    default: return NOT_SUPPORTED;
    }
}
API Result nvmlDeviceGetFieldValues(Handle device, int count, Field *fields) {
    CHECK;
    for (int i = 0; i < count; i++) {
        fields[i].at = (int64_t)(now() * 1e6);
        fields[i].latency = 3;
        fields[i].result = field(device->gpu, &fields[i]);
    }
    return OK;
}
