/* Environment, control file, start and end. */
#include "fake.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AS_TEXT(name) #name,
static const char *names[NUMBER_COUNT] = {NUMBERS(AS_TEXT)};
static double numbers[MOST_GPUS][NUMBER_COUNT];
static unsigned char is_set[MOST_GPUS][NUMBER_COUNT], is_lost[MOST_GPUS];
static struct {
    int gpu, code;
    char function[64];
} failures[MOST_FAILURES];
static int failure_count, started, users, cuda_version, delay_ms, init_error;
static Process own_processes[MOST_PROCESSES];
static int own_process_count;
static double frozen = -1;
static char driver[80], file_name[512];
static struct timespec file_time;
static off_t file_size = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int gpu_count, process_count, xid_count, without_fan, pcie_ms;
int slice_count[MOST_GPUS];
Device gpus[MOST_GPUS], slices[MOST_GPUS][MOST_SLICES];
Slice slice_of[MOST_GPUS][MOST_SLICES];
Process processes[MOST_PROCESSES];
Event xids[MOST_XIDS];
U64 memory_bytes;
char gpu_name[96];

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

double now(void) {
    struct timespec t;
    if (frozen >= 0) return frozen;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

double number_of(int gpu, int number, double otherwise) {
    return is_set[gpu][number] ? numbers[gpu][number] : otherwise;
}

int is_started(void) { return started; }

int is_controlled(void) { return *file_name != 0; }

Result copy(char *to, U32 size, const char *from) {
    if (!to) return BAD_ARGUMENT;
    if (strlen(from) + 1 > size) return TOO_SMALL;
    strcpy(to, from);
    return OK;
}

static void add_process(Process *list, int *count, const char *gpu, U32 pid, U64 mib, char kind) {
    if (*count < MOST_PROCESSES)
        list[(*count)++] = (Process){*gpu == '*' ? -1 : atoi(gpu), pid, mib, kind ? kind : 'C'};
}

static void forget(void) {
    memset(is_set, 0, sizeof is_set);
    memset(is_lost, 0, sizeof is_lost);
    memset(slice_count, 0, sizeof slice_count);
    failure_count = xid_count = init_error = 0;
    memcpy(processes, own_processes, sizeof processes);
    process_count = own_process_count;
}

/* "<gpu or *> what [a [b [c]]]" */
static void take_line(const char *line, Process *found, int *found_count) {
    char gpu[16], what[32], a[64] = "", b[64] = "", c[32] = "";
    if (*line == '#' || sscanf(line, "%15s %31s %63s %63s %31s", gpu, what, a, b, c) < 2) return;
    int first = *gpu == '*' ? 0 : atoi(gpu), last = *gpu == '*' ? MOST_GPUS - 1 : first;
    if (first < 0 || last >= MOST_GPUS) return;
    if (!strcmp(what, "init_error")) init_error = atoi(a);
    if (!strcmp(what, "proc")) add_process(found, found_count, gpu, strtoul(a, 0, 10), strtoull(b, 0, 10), *c);
    if ((!strcmp(what, "fail") || !strcmp(what, "hang")) && failure_count < MOST_FAILURES) {
        failures[failure_count].gpu = *gpu == '*' ? -1 : first;
        failures[failure_count].code = *what == 'h' ? HANGS : atoi(b);
        snprintf(failures[failure_count++].function, sizeof failures->function, "%s", a);
    }
    for (int i = first; i <= last; i++) {
        if (!strcmp(what, "lost")) is_lost[i] = 1;
        if (!strcmp(what, "xid") && xid_count < MOST_XIDS) xids[xid_count++] = (Event){i, strtoull(a, 0, 10)};
        if (!strcmp(what, "mig") && slice_count[i] < MOST_SLICES) {
            Slice *slice = &slice_of[i][slice_count[i]++];
            snprintf(slice->profile, sizeof slice->profile, "%s", a);
            slice->total_mib = strtoull(b, 0, 10);
            slice->used_mib = strtoull(c, 0, 10);
        }
        for (int k = 0; k < NUMBER_COUNT; k++)
            if (!strcmp(what, names[k])) numbers[i][k] = atof(a), is_set[i][k] = 1;
    }
}

static void reload(void) {
    struct stat s;
    static Process found[MOST_PROCESSES];
    int found_count = 0;
    char line[512];
    if (!*file_name) return;
    if (stat(file_name, &s)) {
        if (file_size != -1) forget();
        file_size = -1;
        return;
    }
    if (s.st_size == file_size && s.st_mtim.tv_sec == file_time.tv_sec && s.st_mtim.tv_nsec == file_time.tv_nsec)
        return;
    FILE *file = fopen(file_name, "r");
    if (!file) return;
    file_size = s.st_size;
    file_time = s.st_mtim;
    forget();
    while (fgets(line, sizeof line, file)) take_line(line, found, &found_count);
    fclose(file);
    if (found_count) {
        memcpy(processes, found, sizeof processes);
        process_count = found_count;
    }
}

static int is_device(Handle device) {
    for (int i = 0; i < gpu_count; i++)
        if (device == &gpus[i] || (device >= slices[i] && device < slices[i] + slice_count[i])) return 1;
    return 0;
}

static Result failure_of(int gpu, const char *function) {
    for (int i = 0; i < failure_count; i++)
        if ((failures[i].gpu < 0 || failures[i].gpu == gpu) && !strcmp(failures[i].function, function))
            return failures[i].code;
    return OK;
}

static void hang(void) {
    for (;;) sleep(1000);
}

void may_hang(const char *function) {
    pthread_mutex_lock(&lock);
    reload();
    Result result = failure_of(-1, function);
    pthread_mutex_unlock(&lock);
    if (result == HANGS) hang();
}

Result check(Handle device, const char *function) {
    Result result = OK;
    if (!started) return UNINITIALIZED;
    pthread_mutex_lock(&lock);
    reload();
    if (!device || !is_device(device)) result = BAD_ARGUMENT;
    int gpu = result ? 0 : device->gpu, wait_ms = (int)number_of(gpu, K_delay_ms, delay_ms);
    if (!result && is_lost[gpu]) result = GPU_LOST;
    if (!result) result = failure_of(gpu, function);
    pthread_mutex_unlock(&lock);
    if (result == HANGS) hang();
    if (wait_ms > 0) usleep(wait_ms * 1000);
    return result;
}

static void read_processes(void) {
    const char *given = getenv("FAKE_NVML_PROCS");
    own_process_count = 0;
    if (!given) {
        add_process(own_processes, &own_process_count, "*", (U32)getppid(), 0, 'C');
        return;
    }
    char *text = strdup(given), *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        char gpu[16] = "", kind = 'C';
        U32 pid = 0;
        U64 mib = 0;
        if (sscanf(part, "%15[^:]:%u:%llu:%c", gpu, &pid, &mib, &kind) >= 3)
            add_process(own_processes, &own_process_count, gpu, pid, mib, kind);
    }
    free(text);
}

static void read_environment(void) {
    const char *freeze = setting("FAKE_NVML_FREEZE", "");
    gpu_count = atoi(setting("FAKE_NVML_GPUS", "8"));
    gpu_count = gpu_count < 0 ? 0 : gpu_count > MOST_GPUS ? MOST_GPUS : gpu_count;
    for (int i = 0; i < MOST_GPUS; i++) {
        gpus[i] = (Device){i, -1};
        for (int k = 0; k < MOST_SLICES; k++) slices[i][k] = (Device){i, k};
    }
    memory_bytes = strtoull(setting("FAKE_NVML_MEM_MIB", "81559"), 0, 10) << 20;
    snprintf(gpu_name, sizeof gpu_name, "%s", setting("FAKE_NVML_NAME", "NVIDIA H100 80GB HBM3"));
    snprintf(driver, sizeof driver, "%s", setting("FAKE_NVML_DRIVER", "570.133.20"));
    snprintf(file_name, sizeof file_name, "%s", setting("FAKE_NVML_FILE", ""));
    cuda_version = atoi(setting("FAKE_NVML_CUDA", "12080"));
    without_fan = !strcmp(setting("FAKE_NVML_FAN", ""), "na");
    pcie_ms = atoi(setting("FAKE_NVML_PCIE_MS", "20"));
    delay_ms = atoi(setting("FAKE_NVML_DELAY_MS", "0"));
    frozen = *freeze ? atof(freeze) : -1;
    read_processes();
    forget();
    file_size = -1;
    reload();
}

static Result start(void) {
    pthread_mutex_lock(&lock);
    Result result = OK;
    if (!started) {
        read_environment();
        result = init_error ? init_error : atoi(setting("FAKE_NVML_INIT_ERROR", "0"));
        started = !result;
    }
    users += !result;
    pthread_mutex_unlock(&lock);
    may_hang("nvmlInit");
    return result;
}

API Result nvmlInit(void) { return start(); }
API Result nvmlInit_v2(void) { return start(); }
API Result nvmlInitWithFlags(U32 flags) { return (void)flags, start(); }

API Result nvmlShutdown(void) {
    may_hang(__func__);
    pthread_mutex_lock(&lock);
    Result result = started ? OK : UNINITIALIZED;
    if (started && --users <= 0) started = users = 0;
    pthread_mutex_unlock(&lock);
    return result;
}

API const char *nvmlErrorString(Result result) {
    switch (result) {
    case OK: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case BAD_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case 9: return "Driver Not Loaded";
    case TIMED_OUT: return "Timeout";
    case 12: return "NVML Shared Library Not Found";
    case GPU_LOST: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

API Result nvmlSystemGetDriverVersion(char *to, U32 size) { return started ? copy(to, size, driver) : UNINITIALIZED; }
API Result nvmlSystemGetNVMLVersion(char *to, U32 size) {
    return started ? copy(to, size, "12.570.133.20") : UNINITIALIZED;
}
API Result nvmlSystemGetCudaDriverVersion(int *version) { return *version = cuda_version, OK; }
API Result nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = cuda_version, OK; }
API Result nvmlUnitGetCount(U32 *count) { return *count = 0, OK; }

API Result nvmlSystemGetProcessName(U32 pid, char *to, U32 size) {
    char path[64], name[256] = "";
    snprintf(path, sizeof path, "/proc/%u/comm", pid);
    FILE *file = fopen(path, "r");
    if (!file) return NOT_FOUND;
    if (fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = 0;
    fclose(file);
    return copy(to, size, name);
}
