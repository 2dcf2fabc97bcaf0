/* Handles, names, and the numbers of a GPU that move. */
#include "fake.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

double utilization(int gpu) {
    double t = now(), value = 58 + 34 * sin(t / 17.0 + gpu * 0.9) + 9 * sin(t / 3.1 + gpu * 2.3);
    return number_of(gpu, K_util, value < 0 ? 0 : value > 100 ? 100 : value);
}
double temperature(int gpu) {
    return number_of(gpu, K_temp, 31 + 0.42 * utilization(gpu) + 1.5 * sin(now() / 40 + gpu));
}
double power(int gpu) { return number_of(gpu, K_power_w, 72 + 6.1 * utilization(gpu)); }
double memory_mib(int gpu) {
    double share = 0.55 + 0.30 * ((gpu * 37) % 10) / 10.0 + 0.02 * sin(now() / 60 + gpu);
    return number_of(gpu, K_mem_mib, share * memory_bytes / 1048576.0);
}
static double fan_speed(int gpu) {
    double value = 30 + 0.5 * (temperature(gpu) - 30);
    return number_of(gpu, K_fan, value > 100 ? 100 : value);
}
static double sm_clock(int gpu) {
    return number_of(gpu, K_sm_clock, utilization(gpu) < 1 ? 345 : 1980 - 2.2 * (temperature(gpu) - 31));
}
static U64 throttle(int gpu) {
    return (U64)number_of(gpu, K_throttle, power(gpu) > 690 ? 4 : utilization(gpu) < 1 ? 1 : 0);
}

API Result nvmlDeviceGetCount(U32 *count) {
    if (!is_started()) return UNINITIALIZED;
    return *count = gpu_count, OK;
}
API Result nvmlDeviceGetCount_v2(U32 *count) { return nvmlDeviceGetCount(count); }

API Result nvmlDeviceGetHandleByIndex_v2(U32 index, Handle *device) {
    if (!is_started()) return UNINITIALIZED;
    if (index >= (U32)gpu_count) return BAD_ARGUMENT;
    *device = &gpus[index];
    return check(*device, __func__);
}
API Result nvmlDeviceGetHandleByIndex(U32 index, Handle *device) {
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

static void uuid_of(Handle device, char *to) {
    if (device->slice < 0) sprintf(to, "GPU-fa4ef4ce-0000-4000-8000-%012x", 0x51a1 + device->gpu);
    else sprintf(to, "MIG-fa4ef4ce-0000-4000-%04x-%012x", device->slice, 0x51a1 + device->gpu);
}
static void bus_of(int gpu, char *to) {
    sprintf(to, "%08X:%02X:00.0", 0, 0x19 + gpu * 0x11 > 0xff ? gpu : 0x19 + gpu * 0x11);
}

API Result nvmlDeviceGetUUID(Handle device, char *to, U32 size) {
    char text[64];
    CHECK;
    return uuid_of(device, text), copy(to, size, text);
}
API Result nvmlDeviceGetHandleByUUID(const char *uuid, Handle *device) {
    char text[64];
    for (int i = 0; i < gpu_count; i++)
        if (uuid_of(&gpus[i], text), !strcmp(text, uuid)) return nvmlDeviceGetHandleByIndex_v2(i, device);
    return NOT_FOUND;
}
API Result nvmlDeviceGetHandleByPciBusId_v2(const char *bus, Handle *device) {
    char text[64];
    for (int i = 0; i < gpu_count; i++)
        if (bus_of(i, text), !strcasecmp(text, bus) || !strcasecmp(text + 4, bus))
            return nvmlDeviceGetHandleByIndex_v2(i, device);
    return NOT_FOUND;
}
API Result nvmlDeviceGetName(Handle device, char *to, U32 size) {
    char text[160];
    CHECK;
    if (device->slice < 0) return copy(to, size, gpu_name);
    snprintf(text, sizeof text, "%s MIG %s", gpu_name, slice_of[device->gpu][device->slice].profile);
    return copy(to, size, text);
}
API Result nvmlDeviceGetSerial(Handle device, char *to, U32 size) {
    char text[32];
    CHECK;
    return sprintf(text, "165%010d", 1000 + device->gpu), copy(to, size, text);
}

typedef struct {
    char short_bus[16];
    U32 domain, bus, device, id, subsystem;
    char bus_id[32];
} PciInfo;
API Result nvmlDeviceGetPciInfo_v3(Handle device, PciInfo *info) {
    CHECK;
    memset(info, 0, sizeof *info);
    bus_of(device->gpu, info->bus_id);
    memcpy(info->short_bus, info->bus_id + 4, 12);
    sscanf(info->bus_id + 9, "%x", &info->bus);
    info->id = 0x233010DE;
    info->subsystem = 0x16C110DE;
    return OK;
}

typedef struct {
    U32 gpu, memory;
} Utilization;
API Result nvmlDeviceGetUtilizationRates(Handle device, Utilization *to) {
    CHECK;
    if (slice_count[device->gpu]) return NOT_SUPPORTED; /* as on a GPU that is split */
    to->gpu = (U32)lrint(utilization(device->gpu));
    to->memory = (U32)lrint(utilization(device->gpu) * 0.62);
    return OK;
}

typedef struct {
    U64 total, free, used;
} Memory;
typedef struct {
    U32 version;
    U64 total, reserved, free, used;
} Memory2;
static void memory_of(Handle device, Memory2 *to) {
    U64 used = (U64)memory_mib(device->gpu) << 20;
    to->total = memory_bytes;
    to->reserved = RESERVED_BYTES;
    if (device->slice >= 0) {
        Slice *slice = &slice_of[device->gpu][device->slice];
        to->total = slice->total_mib << 20;
        to->reserved = 0;
        used = slice->used_mib << 20;
    }
    to->used = used + to->reserved > to->total ? to->total - to->reserved : used;
    to->free = to->total - to->used - to->reserved;
}
API Result nvmlDeviceGetMemoryInfo(Handle device, Memory *to) {
    Memory2 memory;
    CHECK;
    memory_of(device, &memory);
    *to = (Memory){memory.total, memory.free, memory.used + memory.reserved};
    return OK;
}
API Result nvmlDeviceGetMemoryInfo_v2(Handle device, Memory2 *to) {
    CHECK;
    if ((to->version >> 24) != 2) return OTHER_VERSION;
    return memory_of(device, to), OK;
}
API Result nvmlDeviceGetBAR1MemoryInfo(Handle device, Memory *to) {
    CHECK;
    *to = (Memory){131072ULL << 20, (131066ULL - device->gpu) << 20, (6ULL + device->gpu) << 20};
    return OK;
}

typedef struct {
    U32 version;
    int sensor, celsius;
} Temperature;
API Result nvmlDeviceGetTemperature(Handle device, int sensor, U32 *to) {
    CHECK;
    if (sensor) return BAD_ARGUMENT;
    return *to = (U32)lrint(temperature(device->gpu)), OK;
}
API Result nvmlDeviceGetTemperatureV(Handle device, Temperature *to) {
    CHECK;
    if (to->version != 0x100000C) return OTHER_VERSION;
    return to->celsius = (int)lrint(temperature(device->gpu)), OK;
}
API Result nvmlDeviceGetTemperatureThreshold(Handle device, int kind, U32 *to) {
    static const U32 celsius[] = {92, 89, 95, 87};
    CHECK;
    if (kind < 0 || kind > 3) return NOT_SUPPORTED;
    return *to = celsius[kind], OK;
}

static U32 clock_of(int gpu, int kind) { return kind == 2 ? 2619 : (U32)(sm_clock(gpu) * (kind == 3 ? 0.82 : 1)); }
API Result nvmlDeviceGetClockInfo(Handle device, int kind, U32 *to) {
    CHECK;
    if (kind < 0 || kind > 3) return BAD_ARGUMENT;
    return *to = clock_of(device->gpu, kind), OK;
}
API Result nvmlDeviceGetMaxClockInfo(Handle device, int kind, U32 *to) {
    CHECK;
    if (kind < 0 || kind > 3) return BAD_ARGUMENT;
    return *to = kind == 2 ? 2619 : kind == 3 ? 1620 : 1980, OK;
}

API Result nvmlDeviceGetFanSpeed(Handle device, U32 *to) {
    CHECK;
    if (without_fan) return NOT_SUPPORTED;
    return *to = (U32)fan_speed(device->gpu), OK;
}
API Result nvmlDeviceGetFanSpeed_v2(Handle device, U32 fan, U32 *to) {
    CHECK;
    if (without_fan) return NOT_SUPPORTED;
    if (fan) return BAD_ARGUMENT;
    return *to = (U32)fan_speed(device->gpu), OK;
}

#define READS(name, type, expression)                                                                                  \
    API Result nvmlDeviceGet##name(Handle device, type *to) {                                                          \
        CHECK;                                                                                                         \
        return *to = (type)(expression), OK;                                                                           \
    }
READS(Index, U32, device->gpu)
READS(MinorNumber, U32, device->gpu)
READS(PowerUsage, U32, power(device->gpu) * 1000)
READS(PowerManagementMode, U32, 1)
READS(PowerManagementLimit, U32, 700000)
READS(PowerManagementDefaultLimit, U32, 700000)
READS(EnforcedPowerLimit, U32, 700000)
READS(TotalEnergyConsumption, U64, fmod(now(), 1e7) * 420e3 + device->gpu * 1000)
READS(NumFans, U32, without_fan ? 0 : 1)
READS(PerformanceState, U32, number_of(device->gpu, K_pstate, 0))
READS(PowerState, U32, number_of(device->gpu, K_pstate, 0))
READS(CurrentClocksEventReasons, U64, throttle(device->gpu))
READS(CurrentClocksThrottleReasons, U64, throttle(device->gpu))
READS(SupportedClocksEventReasons, U64, 0x1ff)
READS(PersistenceMode, U32, 1)
READS(ComputeMode, U32, 0)
READS(DisplayMode, U32, 0)
READS(DisplayActive, U32, 0)
READS(AccountingMode, U32, 0)
READS(Architecture, U32, 9)
READS(Brand, U32, 14)
READS(NumGpuCores, U32, 16896)
READS(MemoryBusWidth, U32, 5120)

API Result nvmlDeviceGetCudaComputeCapability(Handle device, int *major, int *minor) {
    CHECK;
    return *major = 9, *minor = 0, OK;
}
API Result nvmlDeviceGetEncoderUtilization(Handle device, U32 *to, U32 *period_us) {
    CHECK;
    return *to = (U32)number_of(device->gpu, K_encoder, 0), *period_us = 167000, OK;
}
API Result nvmlDeviceGetDecoderUtilization(Handle device, U32 *to, U32 *period_us) {
    CHECK;
    double value = device->gpu % 4 == 1 ? utilization(device->gpu) / 8 : 0;
    return *to = (U32)number_of(device->gpu, K_decoder, value), *period_us = 167000, OK;
}

/* What this kind of GPU doesn't have. */
#define REFUSES(name)                                                                                                  \
    API Result nvmlDeviceGet##name(Handle device, void *one, void *other) {                                            \
        CHECK;                                                                                                         \
        return (void)one, (void)other, NOT_SUPPORTED;                                                                  \
    }
REFUSES(DriverModel)
REFUSES(DriverModel_v2)
REFUSES(ConfComputeMemSizeInfo)
