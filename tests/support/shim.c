// Faults of the system under a program that knows nothing of them, loaded before the C library (LD_PRELOAD). Built and
// steered by `shim.rs`, through a folder named by SHIM_DIR:
//   clock   twice eight bytes: seconds by which the wall clock is off, and by which the one of waits is ahead
//   full    while it is there, the disk has no room for files whose path has the text it holds
//   hang    while it is there, the disk does not answer about files and folders whose path has the text it holds
//   slow    milliseconds that a sync of a file or folder in .../spool takes longer
//   fault   "CALL ERRNO EVERY SEEN LEFT PATH": of the engine's CALLs (write, sync or open) for files whose path has the text
//           PATH, each EVERY-th fails with that number, or where EVERY is below 0 one in so many by chance; LEFT times
//   rename  "kill N" or "eio N": the next N times the engine gives a new part its name, it dies, or is told EIO
//   marks   what was done, a line each
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *folder;
static volatile int64_t *offset;
static int is_engine;
static pthread_mutex_t once_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void in_folder(char *path, const char *name) { snprintf(path, PATH_MAX, "%s/%s", folder, name); }

__attribute__((constructor)) static void begin(void) {
    char path[PATH_MAX], command[4096];
    folder = getenv("SHIM_DIR");
    if (!folder) return;
    in_folder(path, "clock");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *at = mmap(0, 16, PROT_READ, MAP_SHARED, file, 0);
        if (at != MAP_FAILED) offset = at;
        close(file);
    }
    file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, command, sizeof command);
    if (file >= 0) close(file);
    is_engine = got > 0 && memmem(command, got, "\0engine", 8) != 0;
}

static void mark(const char *what, const char *about) {
    char path[PATH_MAX], line[PATH_MAX + 64];
    in_folder(path, "marks");
    int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    int length = snprintf(line, sizeof line, "%s %s\n", what, about);
    syscall(SYS_write, file, line, (size_t)length);
    close(file);
}

static void *next(void **known, const char *name) {
    if (!*known) *known = dlsym(RTLD_NEXT, name);
    return *known;
}

// The clocks: the wall's, and the one that waits go by, which only goes forward.
static int64_t off(clockid_t clock) {
    if (!offset) return 0;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) return offset[0];
    return clock == CLOCK_MONOTONIC ? offset[1] : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, now);
    if (answer == 0) now->tv_sec += off(clock);
    return answer;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int answer = real(now, zone);
    if (answer == 0) now->tv_sec += off(CLOCK_REALTIME);
    return answer;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

// A disk that hangs.
static int hangs(const char *path) {
    char steering[PATH_MAX], where[64] = "";
    if (!folder || !path) return 0;
    in_folder(steering, "hang");
    int file = syscall(SYS_openat, AT_FDCWD, steering, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t said = read(file, where, sizeof where - 1);
    close(file);
    return said > 0 && strstr(path, where) != 0;
}

static void wait_while_it_hangs(const char *path) {
    if (!hangs(path)) return;
    mark("hang", path);
    while (hangs(path)) usleep(5000);
}

static void wait_while_file_hangs(int file) {
    char path[PATH_MAX], link[64];
    if (!folder || file < 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t got = readlink(link, path, sizeof path - 1);
    if (got <= 0) return;
    path[got] = 0;
    wait_while_it_hangs(path);
}

// A full disk.
static int no_room(int file) {
    char path[PATH_MAX], link[64], where[64] = "";
    if (!folder || file < 0) return 0;
    in_folder(path, "full");
    int steering = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (steering < 0) return 0;
    ssize_t said = read(steering, where, sizeof where - 1);
    close(steering);
    if (said <= 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t got = readlink(link, path, sizeof path - 1);
    if (got <= 0) return 0;
    path[got] = 0;
    if (!strstr(path, where)) return 0;
    mark("full", path);
    errno = ENOSPC;
    return 1;
}

// A disk that fails now and then, under the engine.
static int faulty(const char *call, int file, const char *at) {
    char path[PATH_MAX], link[64], text[256] = "", kind[16], where[128];
    int number, every, seen, left, failing = 0;
    if (!folder || !is_engine || (file < 0 && !at)) return 0;
    in_folder(path, "fault");
    pthread_mutex_lock(&once_at_a_time);
    int steering = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    ssize_t said = steering < 0 ? 0 : read(steering, text, sizeof text - 1);
    if (said > 0 && sscanf(text, "%15s %d %d %d %d %127s", kind, &number, &every, &seen, &left, where) == 6 && left > 0 &&
        strcmp(kind, call) == 0) {
        if (at) {
            snprintf(path, sizeof path, "%s", at);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t got = readlink(link, path, sizeof path - 1);
            path[got > 0 ? got : 0] = 0;
        }
        if (strstr(path, where)) {
            static unsigned dice;
            if (!dice) dice = (unsigned)getpid() * 2654435761u;
            seen++;
            failing = every > 0 ? seen % every == 0 : rand_r(&dice) % (unsigned)-every == 0;
            left -= failing;
            int length = snprintf(text, sizeof text, "%s %d %d %d %d %s", kind, number, every, seen, left, where);
            if (ftruncate(steering, 0) == 0) syscall(SYS_pwrite64, steering, text, (size_t)length, (off_t)0);
            if (failing) mark("fault", path);
        }
    }
    if (steering >= 0) close(steering);
    pthread_mutex_unlock(&once_at_a_time);
    if (failing) errno = number;
    return failing;
}

#define REAL(name) ((__typeof__(name##_real))next((void **)&name##_real, #name))
static ssize_t (*write_real)(int, const void *, size_t);
static ssize_t (*writev_real)(int, const struct iovec *, int);
static ssize_t (*pwrite64_real)(int, const void *, size_t, off64_t);
static int (*ftruncate64_real)(int, off64_t);

ssize_t write(int file, const void *bytes, size_t count) {
    wait_while_file_hangs(file);
    return no_room(file) || faulty("write", file, 0) ? -1 : REAL(write)(file, bytes, count);
}
ssize_t writev(int file, const struct iovec *pieces, int count) {
    return no_room(file) || faulty("write", file, 0) ? -1 : REAL(writev)(file, pieces, count);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    wait_while_file_hangs(file);
    return no_room(file) || faulty("write", file, 0) ? -1 : REAL(pwrite64)(file, bytes, count, at);
}
int ftruncate64(int file, off64_t length) {
    struct stat now;
    wait_while_file_hangs(file);
    int grows = fstat(file, &now) == 0 && length > now.st_size;
    return grows && no_room(file) ? -1 : REAL(ftruncate64)(file, length);
}

// A disk that takes its time.
static void wait_for_disk(int file) {
    char path[PATH_MAX], link[64], text[16] = "";
    if (!folder) return;
    in_folder(path, "slow");
    int steering = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (steering < 0) return;
    ssize_t said = read(steering, text, sizeof text - 1);
    close(steering);
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t got = said > 0 ? readlink(link, path, sizeof path - 1) : 0;
    if (got <= 0) return;
    path[got] = 0;
    if (!strstr(path, "/spool")) return;
    mark("slow", path);
    usleep(1000u * (unsigned)atoi(text));
}

// Only a file that is to be made can fail.
#define OPENS(name)                                                                                                   \
    static int (*name##_real)(const char *, int, mode_t);                                                             \
    int name(const char *path, int flags, ...) {                                                                      \
        mode_t mode = 0;                                                                                              \
        wait_while_it_hangs(path);                                                                                    \
        if (flags & O_CREAT) {                                                                                        \
            va_list given;                                                                                            \
            va_start(given, flags);                                                                                   \
            mode = va_arg(given, mode_t);                                                                             \
            va_end(given);                                                                                            \
            if (faulty("open", -1, path)) return -1;                                                                  \
        }                                                                                                             \
        return REAL(name)(path, flags, mode);                                                                         \
    }
OPENS(open)
OPENS(open64)

static int (*fsync_real)(int);
static int (*fdatasync_real)(int);
int fsync(int file) {
    wait_while_file_hangs(file);
    wait_for_disk(file);
    return faulty("sync", file, 0) ? -1 : REAL(fsync)(file);
}
int fdatasync(int file) {
    wait_while_file_hangs(file);
    wait_for_disk(file);
    return faulty("sync", file, 0) ? -1 : REAL(fdatasync)(file);
}

// Files and folders by their names.
static DIR *(*opendir_real)(const char *);
static int (*unlink_real)(const char *);
DIR *opendir(const char *path) {
    wait_while_it_hangs(path);
    return REAL(opendir)(path);
}
int unlink(const char *path) {
    wait_while_it_hangs(path);
    return REAL(unlink)(path);
}

// The moment a part of a table gets its name; of one partitioned by month, as that of the events is.
static int fails(const char *from) {
    char path[PATH_MAX], kind[16] = "", text[32] = "";
    int times = 0, failing = 0;
    if (!folder || !is_engine || !from || !strstr(from, "/tmp_insert_2")) return 0;
    pthread_mutex_lock(&once_at_a_time);
    in_folder(path, "rename");
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file >= 0) {
        ssize_t got = read(file, text, sizeof text - 1);
        if (got > 0 && sscanf(text, "%15s %d", kind, &times) == 2 && times > 0) {
            failing = 1;
            int length = snprintf(text, sizeof text, "%s %d", kind, times - 1);
            if (ftruncate(file, 0) == 0) syscall(SYS_pwrite64, file, text, (size_t)length, (off_t)0);
        }
        close(file);
    }
    pthread_mutex_unlock(&once_at_a_time);
    mark(failing ? kind : "named", from);
    if (failing && strcmp(kind, "kill") == 0) kill(getpid(), SIGKILL);
    errno = EIO;
    return failing;
}

int rename(const char *from, const char *to) {
    wait_while_it_hangs(from);
    return fails(from) ? -1 : (int)syscall(SYS_rename, from, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return fails(from) ? -1 : (int)syscall(SYS_renameat, from_folder, from, to_folder, to);
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    return fails(from) ? -1 : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

// ClickHouse renames without replacing, by number.
long syscall(long number, ...) {
    static long (*real)(long, ...);
    long a[6];
    va_list given;
    va_start(given, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(given, long);
    va_end(given);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    // A wait until a moment, which the kernel takes for one of its own clock.
    if (number == SYS_futex && a[3] && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && !(a[1] & FUTEX_CLOCK_REALTIME)) {
        struct timespec until = *(const struct timespec *)a[3];
        until.tv_sec -= off(CLOCK_MONOTONIC);
        if (until.tv_sec < 0) until.tv_sec = 0;
        return real(number, a[0], a[1], a[2], (long)&until, a[4], a[5]);
    }
    if (number == SYS_renameat2 && fails((const char *)a[1])) return -1;
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
