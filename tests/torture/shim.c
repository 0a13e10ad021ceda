/* Preloaded into a process, counts what it asks of the file system below one folder, and breaks it where it is told to.
 *
 * TORTURE_BELOW    folder that is watched; without it nothing is
 * TORTURE_KINDS    kinds that count, separated by commas; without it all: open read write sync rename mkdir unlink link lock
 * TORTURE_PATH     part of a path: only calls whose path has it count
 * TORTURE_AT       number of the call, from 1, among the calls of these kinds; 0: none
 * TORTURE_DO       kill | torn (write half, then kill) | short (write half) | a number: fail with that errno
 * TORTURE_ON       1: that call and all later ones
 * TORTURE_ROOM     bytes that the disk still has: writes beyond fail with TORTURE_DO
 * TORTURE_LOG      file to which a line is added for each call: number, kind, bytes, path
 * TORTURE_JOURNAL  file to which everything that changes the folder is added: names, bytes, syncs (read by power_cuts.py)
 *
 * They are read when the process starts and when it calls torture_arm(), which a forked child does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, READ, WRITE, SYNC, RENAME, MKDIR, UNLINK, LINK, LOCK, KINDS };
static const char *const NAMES[KINDS] = {"open", "read", "write", "sync", "rename", "mkdir", "unlink", "link", "lock"};

static char below[PATH_MAX], part[PATH_MAX];
static size_t below_length;
static int counts[KINDS], doing_kill, doing_torn, doing_short, doing_errno, on, log_fd = -1, journal_fd = -1;
static long at, seen, numbered, room;
static int room_given;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;

static int appended(const char *variable) {
    const char *path = getenv(variable);
    if (path == NULL || *path == 0) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int listed(const char *names, const char *name) {
    size_t length = strlen(name);
    for (const char *found = names; (found = strstr(found, name)) != NULL; found += length)
        if ((found == names || found[-1] == ',') && (found[length] == 0 || found[length] == ',')) return 1;
    return 0;
}

__attribute__((constructor)) void torture_arm(void) {
    const char *text = getenv("TORTURE_BELOW");
    snprintf(below, sizeof below, "%s", text ? text : "");
    below_length = strlen(below);
    text = getenv("TORTURE_KINDS");
    for (int kind = 0; kind < KINDS; kind++) counts[kind] = text == NULL || *text == 0 || listed(text, NAMES[kind]);
    text = getenv("TORTURE_PATH");
    snprintf(part, sizeof part, "%s", text ? text : "");
    text = getenv("TORTURE_AT");
    at = text ? atol(text) : 0;
    text = getenv("TORTURE_DO");
    if (text == NULL) text = "";
    doing_kill = strcmp(text, "kill") == 0;
    doing_torn = strcmp(text, "torn") == 0;
    doing_short = strcmp(text, "short") == 0;
    doing_errno = atoi(text);
    text = getenv("TORTURE_ON");
    on = text != NULL && *text == '1';
    text = getenv("TORTURE_ROOM");
    room_given = text != NULL && *text != 0;
    room = room_given ? atol(text) : 0;
    seen = numbered = 0;
    log_fd = appended("TORTURE_LOG");
    journal_fd = appended("TORTURE_JOURNAL");
}

static int watched(const char *path) {
    return below_length && strncmp(path, below, below_length) == 0 && (path[below_length] == '/' || path[below_length] == 0);
}

static void path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

/* An absolute path, links in it left as they are: the harness names the folder by its real path. */
static void full_path(int folder, const char *name, char *path) {
    char base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (folder == AT_FDCWD) {
        if (getcwd(base, sizeof base) == NULL) base[0] = 0;
    } else {
        path_of(folder, base);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) path[0] = 0;
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) syscall(SYS_pause);
}

enum fate { GO, FAIL, HALF, HALF_THEN_DIE };

/* What becomes of a call: counted, logged, and struck if it is the one. */
static enum fate fate_of(enum kind kind, const char *path, size_t bytes) {
    if (!watched(path)) return GO;
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        long number = __atomic_add_fetch(&numbered, 1, __ATOMIC_SEQ_CST);
        int length = snprintf(line, sizeof line, "%ld %s %zu %s\n", number, NAMES[kind], bytes, path);
        syscall(SYS_write, log_fd, line, (size_t)length);
    }
    if (room_given && kind == WRITE && __atomic_sub_fetch(&room, (long)bytes, __ATOMIC_SEQ_CST) < 0) {
        errno = doing_errno;
        return FAIL;
    }
    if (!counts[kind] || at == 0 || strstr(path, part) == NULL) return GO;
    long number = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (number != at && !(on && number > at)) return GO;
    if (doing_kill) die();
    if (kind == WRITE && doing_torn) return HALF_THEN_DIE;
    if (kind == WRITE && doing_short) return HALF;
    if (doing_torn) die();
    if (doing_short || doing_errno == 0) return GO;
    errno = doing_errno;
    return FAIL;
}

#include "journal.h"

#define REAL(name) ((__typeof__(name) *)real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

/* open, creat, fopen */

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int kept = errno;
    full_path(folder, name, path);
    errno = kept;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (fate_of(writes ? OPEN : READ, path, 0) == FAIL) return -1;
    int held = writes ? journalled(path) : 0;
    int absent = held && inode(path) == 0;
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (held && fd >= 0) {
        if (absent) note('C', folder_of(path), inode_of(fd), 0, name_in(path), strlen(name_in(path)));
        else if (flags & O_TRUNC) note('T', inode_of(fd), 0, 0, "", 0);
    }
    done(held);
    return fd;
}

#define MODE(flags)                                  \
    mode_t mode = 0;                                 \
    if ((flags) & (O_CREAT | O_TMPFILE)) {           \
        va_list rest;                                \
        va_start(rest, flags);                       \
        mode = (mode_t)va_arg(rest, int);            \
        va_end(rest);                                \
    }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags | O_LARGEFILE, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* Streams of stdio: refused like any other file; what is written through them is not seen. Nothing below a run is. */
static int stream_refused(const char *name, const char *mode) {
    char path[PATH_MAX];
    full_path(AT_FDCWD, name, path);
    return fate_of(strpbrk(mode, "wa+") ? OPEN : READ, path, 0) == FAIL;
}
FILE *fopen(const char *name, const char *mode) { return stream_refused(name, mode) ? NULL : REAL(fopen)(name, mode); }
FILE *fopen64(const char *name, const char *mode) { return stream_refused(name, mode) ? NULL : REAL(fopen64)(name, mode); }

/* write */

static ssize_t written(int fd, const void *data, size_t length, off_t offset, int placed) {
    char path[PATH_MAX];
    int kept = errno;
    path_of(fd, path);
    errno = kept;
    enum fate fate = fate_of(WRITE, path, length);
    if (fate == FAIL) return -1;
    if (fate != GO && length > 1) length /= 2;
    int held = journalled(path);
    ssize_t size = placed ? syscall(SYS_pwrite64, fd, data, length, offset) : syscall(SYS_write, fd, data, length);
    if (held && size > 0) {
        off_t start = placed ? offset : lseek(fd, 0, SEEK_CUR) - size;
        note('W', inode_of(fd), (unsigned long)start, 0, data, (size_t)size);
    }
    done(held);
    if (fate == HALF_THEN_DIE) die();
    return size;
}

static ssize_t gathered(int fd, const struct iovec *pieces, int count, off_t offset, int placed) {
    size_t length = 0, filled = 0;
    for (int piece = 0; piece < count; piece++) length += pieces[piece].iov_len;
    char *all = malloc(length ? length : 1);
    if (all == NULL) return -1;
    for (int piece = 0; piece < count; filled += pieces[piece++].iov_len) memcpy(all + filled, pieces[piece].iov_base, pieces[piece].iov_len);
    ssize_t size = written(fd, all, length, offset, placed);
    int kept = errno;
    free(all);
    errno = kept;
    return size;
}

ssize_t write(int fd, const void *data, size_t length) { return written(fd, data, length, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return written(fd, data, length, offset, 1); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return written(fd, data, length, offset, 1); }
ssize_t writev(int fd, const struct iovec *pieces, int count) { return gathered(fd, pieces, count, 0, 0); }
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) { return gathered(fd, pieces, count, offset, 1); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) { return gathered(fd, pieces, count, offset, 1); }

/* Copies inside the kernel would pass unseen: copy_file_range and sendfile are said to be missing, and read and write follow. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    char path[PATH_MAX];
    path_of(out, path);
    if (!watched(path)) return syscall(SYS_copy_file_range, in, from, out, to, length, flags);
    errno = EXDEV;
    return -1;
}
static ssize_t sent(int out, int in, off_t *offset, size_t length) {
    char path[PATH_MAX];
    path_of(out, path);
    if (!watched(path)) return syscall(SYS_sendfile, out, in, offset, length);
    errno = ENOTSOCK;
    return -1;
}
ssize_t sendfile(int out, int in, off_t *offset, size_t length) { return sent(out, in, offset, length); }
ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) { return sent(out, in, offset, length); }

static int cut_to(int fd, off_t length) {
    char path[PATH_MAX];
    path_of(fd, path);
    if (fate_of(WRITE, path, 0) == FAIL) return -1;
    int held = journalled(path), status = (int)syscall(SYS_ftruncate, fd, length);
    if (held && status == 0) note('T', inode_of(fd), (unsigned long)length, 0, "", 0);
    done(held);
    return status;
}
int ftruncate(int fd, off_t length) { return cut_to(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut_to(fd, length); }

/* fsync, flock */

static int synced(int fd, long call) {
    char path[PATH_MAX];
    path_of(fd, path);
    if (fate_of(SYNC, path, 0) == FAIL) return -1;
    int held = journalled(path), status = (int)syscall(call, fd);
    if (held && status == 0) note('F', inode_of(fd), 0, 0, "", 0);
    done(held);
    return status;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int flock(int fd, int operation) {
    char path[PATH_MAX];
    path_of(fd, path);
    return fate_of(LOCK, path, 0) == FAIL ? -1 : (int)syscall(SYS_flock, fd, operation);
}

/* rename, link, mkdir, unlink, rmdir */

static int renamed(int from, const char *old, int to, const char *new, unsigned flags) {
    char source[PATH_MAX], target[PATH_MAX];
    full_path(from, old, source);
    full_path(to, new, target);
    if (fate_of(RENAME, target, 0) == FAIL) return -1;
    int held = journalled(target);
    unsigned long moved = held ? inode(source) : 0;
    int status = (int)syscall(SYS_renameat2, from, old, to, new, flags);
    if (held && status == 0) {
        char names[2 * PATH_MAX];
        int length = snprintf(names, sizeof names, "%s/%s", name_in(source), name_in(target));
        note('R', folder_of(source), folder_of(target), moved, names, (size_t)length);
    }
    done(held);
    return status;
}
int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return renamed(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) { return renamed(from, old, to, new, flags); }

static int linked(int from, const char *old, int to, const char *new, int flags) {
    char path[PATH_MAX];
    full_path(to, new, path);
    if (fate_of(LINK, path, 0) == FAIL) return -1;
    int held = journalled(path), status = (int)syscall(SYS_linkat, from, old, to, new, flags);
    if (held && status == 0) note('C', folder_of(path), inode(path), 1, name_in(path), strlen(name_in(path)));
    done(held);
    return status;
}
int link(const char *old, const char *new) { return linked(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int from, const char *old, int to, const char *new, int flags) { return linked(from, old, to, new, flags); }

static int made(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    full_path(folder, name, path);
    if (fate_of(MKDIR, path, 0) == FAIL) return -1;
    int held = journalled(path), status = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (held && status == 0) note('D', folder_of(path), inode(path), 0, name_in(path), strlen(name_in(path)));
    done(held);
    return status;
}
int mkdir(const char *name, mode_t mode) { return made(AT_FDCWD, name, mode); }
int mkdirat(int folder, const char *name, mode_t mode) { return made(folder, name, mode); }

static int removed(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    full_path(folder, name, path);
    if (fate_of(UNLINK, path, 0) == FAIL) return -1;
    int held = journalled(path);
    unsigned long parent = held ? folder_of(path) : 0;
    int status = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (held && status == 0) note('U', parent, 0, 0, name_in(path), strlen(name_in(path)));
    done(held);
    return status;
}
int unlink(const char *name) { return removed(AT_FDCWD, name, 0); }
int unlinkat(int folder, const char *name, int flags) { return removed(folder, name, flags); }
int rmdir(const char *name) { return removed(AT_FDCWD, name, AT_REMOVEDIR); }
