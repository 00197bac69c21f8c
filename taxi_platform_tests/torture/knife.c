/* A knife between a program and its kernel: it counts the calls that change a folder or talk to a server, and at the
 * n-th of them kills the process, lets half of the call happen, refuses it, or loses the answer.
 *
 * Belongs here: counting, logging and cutting, for any program. Does not: what is tried, and what must hold after it
 * (Python beside it). Preloaded (LD_PRELOAD) it passes everything through until `knife_arm` is called; a child process
 * of another program is never armed. `strace` of the same work shows that no call goes past it (`test_torture.py`).
 *
 * A call is counted once, before it happens. Paths are those below the armed folder; sockets are those that are
 * connected to a server. Every real call is made by syscall(2), so that nothing here calls itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum kind { DATA = 1, SYNC = 2, NAME = 4, SIZE = 8, MAKE = 16, LOOK = 32, SENT = 64, GOT = 128 };
enum way { PASS, BEFORE, HALF, AFTER, REFUSE, REFUSE_FROM, SHORT, LOSE };

static struct {
    int armed, kinds, way, code, log;
    long at, count;
    size_t length;
    char folder[PATH_MAX];
} knife = {.log = -1};
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* Count from nought calls of these kinds (a sum of `enum kind`) below the folder; at number `at` that way happens.
 * `log` is a descriptor that every counted call is written to, with its bytes, or -1. */
void knife_arm(const char *folder, int kinds, long at, int way, int code, int log) {
    strncpy(knife.folder, folder, sizeof knife.folder - 1);
    knife.length = strlen(knife.folder);
    knife.kinds = kinds, knife.at = at, knife.way = way, knife.code = code, knife.log = log, knife.count = 0;
    __atomic_store_n(&knife.armed, 1, __ATOMIC_SEQ_CST);
}

/* How many calls were counted; nothing is counted from now on. */
long knife_rest(void) {
    __atomic_store_n(&knife.armed, 0, __ATOMIC_SEQ_CST);
    return knife.count;
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* The absolute path of a name that is relative to a descriptor; of the descriptor itself where the name is null. */
static int resolve(int at, const char *name, char *path) {
    char link[64];
    if (name && name[0] == '/') { snprintf(path, PATH_MAX, "%s", name); return 1; }
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (name) snprintf(path + length, PATH_MAX - length, "/%s", name);
    return 1;
}

static int is_below(const char *path) {
    return strncmp(path, knife.folder, knife.length) == 0 && path[knife.length] == '/';
}

static int talks_to_a_server(int fd) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (syscall(SYS_getpeername, fd, &peer, &length) != 0) return 0;
    if (peer.ss_family == AF_UNIX) return length > sizeof(sa_family_t) && ((struct sockaddr_un *)&peer)->sun_path[0];
    return peer.ss_family == AF_INET || peer.ss_family == AF_INET6;
}

static void all(int fd, const char *bytes, size_t length) {
    while (length) {
        long done = syscall(SYS_write, fd, bytes, length);
        if (done <= 0) return;
        bytes += done, length -= done;
    }
}

static void note(const char *call, const char *path, const char *other, long offset, const struct iovec *parts,
                 int count, size_t length) {
    char line[3 * PATH_MAX];
    if (knife.log < 0) return;
    int size = snprintf(line, sizeof line, "%s\t%s\t%s\t%ld\t%zu\n", call, path, other ? other : "", offset, length);
    all(knife.log, line, size);
    for (int part = 0; part < count && length; part++) {
        size_t taken = parts[part].iov_len < length ? parts[part].iov_len : length;
        all(knife.log, parts[part].iov_base, taken), length -= taken;
    }
}

/* Takes the turn if the call counts; returns the way that it goes, or PASS. `given_up` gives the turn back. */
static int begin(void) {
    pthread_mutex_lock(&turn);
    long number = knife.count++;
    if (number == knife.at) return knife.way;
    return number > knife.at && knife.at >= 0 && knife.way == REFUSE_FROM ? REFUSE : PASS;
}

static void end(int way) {
    if (way == AFTER) die();
    pthread_mutex_unlock(&turn);
}

#define COUNTS(kind_) (__atomic_load_n(&knife.armed, __ATOMIC_SEQ_CST) && (knife.kinds & (kind_)))

/* One call that happens whole or not at all. */
#define WHOLE(kind_, call_, path_, other_, real_)                                                                      \
    do {                                                                                                               \
        int way = begin();                                                                                             \
        if (way == BEFORE || way == HALF) die();                                                                       \
        if (way == REFUSE || way == REFUSE_FROM) { end(PASS); errno = knife.code; return -1; }                         \
        long done = real_;                                                                                             \
        int saved = errno;                                                                                             \
        if (done >= 0) note(call_, path_, other_, 0, NULL, 0, 0);                                                      \
        end(way);                                                                                                      \
        errno = saved;                                                                                                 \
        return done;                                                                                                   \
    } while (0)

static size_t sum(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int part = 0; part < count; part++) length += parts[part].iov_len;
    return length;
}

/* Bytes into a file (at an offset, or where it stands: -1) or a socket; half of them where it is cut. */
static ssize_t put(int fd, const struct iovec *parts, int count, off_t offset, int kind, int flags) {
    char path[PATH_MAX];
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    if (!COUNTS(kind) || (kind == SENT ? !talks_to_a_server(fd) : !resolve(fd, NULL, path) || !is_below(path))) {
        if (kind == SENT) return syscall(SYS_sendmsg, fd, &message, flags);
        return offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    }
    int way = begin();
    if (way == BEFORE) die();
    if (way == REFUSE || way == REFUSE_FROM) {
        end(PASS);
        if (kind == SENT) syscall(SYS_shutdown, fd, SHUT_RDWR);
        errno = knife.code;
        return -1;
    }
    size_t length = sum(parts, count);
    struct iovec half = {parts[0].iov_base, parts[0].iov_len};
    if (way == HALF || way == SHORT) {
        size_t wanted = length > 1 ? length / 2 : length;
        if (half.iov_len > wanted) half.iov_len = wanted;
        parts = &half, count = 1, message.msg_iov = &half, message.msg_iovlen = 1;
    }
    off_t where = offset;
    if (offset < 0 && kind == DATA)
        where = syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND ? -1 : syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    long done = kind == SENT ? syscall(SYS_sendmsg, fd, &message, flags)
                : offset < 0 ? syscall(SYS_writev, fd, parts, count)
                             : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    int saved = errno;
    if (done < 0 && kind == SENT) knife.count--; /* a full buffer: it is sent again */
    if (done >= 0) note(kind == SENT ? "send" : "write", kind == SENT ? "" : path, NULL, where, parts, count, done);
    if (way == HALF && done >= 0) die();
    end(done < 0 ? PASS : way);
    errno = saved;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec part = {(void *)bytes, length};
    if (!__atomic_load_n(&knife.armed, __ATOMIC_SEQ_CST)) return syscall(SYS_write, fd, bytes, length);
    if (COUNTS(SENT) && talks_to_a_server(fd)) return put(fd, &part, 1, -1, SENT, 0);
    if (!COUNTS(DATA)) return syscall(SYS_write, fd, bytes, length);
    return put(fd, &part, 1, -1, DATA, 0);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!__atomic_load_n(&knife.armed, __ATOMIC_SEQ_CST)) return syscall(SYS_writev, fd, parts, count);
    return put(fd, parts, count, -1, COUNTS(SENT) && talks_to_a_server(fd) ? SENT : DATA, 0);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    struct iovec part = {(void *)bytes, length};
    return put(fd, &part, 1, offset, DATA, 0);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return pwrite(fd, bytes, length, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return put(fd, parts, count, offset, DATA, 0); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return put(fd, parts, count, offset, DATA, 0); }
ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    struct iovec part = {(void *)bytes, length};
    return put(fd, &part, 1, -1, SENT, flags);
}
ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
    if (to) return syscall(SYS_sendto, fd, bytes, length, flags, to, size);
    return send(fd, bytes, length, flags);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    if (message->msg_name || message->msg_controllen) return syscall(SYS_sendmsg, fd, message, flags);
    return put(fd, message->msg_iov, (int)message->msg_iovlen, -1, SENT, flags);
}

/* Bytes of a file to another without the program: refused, so that they come by write. */
ssize_t sendfile(int out, int in, off_t *offset, size_t count) {
    if (!COUNTS(DATA)) return syscall(SYS_sendfile, out, in, offset, count);
    errno = EINVAL;
    return -1;
}
ssize_t sendfile64(int out, int in, off_t *offset, size_t count) { return sendfile(out, in, offset, count); }
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    if (!COUNTS(DATA)) return syscall(SYS_copy_file_range, in, from, out, to, length, flags);
    errno = EXDEV;
    return -1;
}

/* What a server answered: where it is lost, the server has done its work and the line is dead. */
static ssize_t lost_or(int fd, ssize_t done, int flags) {
    if (done <= 0 || (flags & MSG_PEEK) || !COUNTS(GOT) || !talks_to_a_server(fd)) return done;
    int way = begin();
    if (way == BEFORE || way == HALF || way == AFTER) die();
    note("receive", "", NULL, 0, NULL, 0, done);
    if (way == LOSE || way == REFUSE || way == REFUSE_FROM) {
        syscall(SYS_shutdown, fd, SHUT_RDWR);
        end(PASS);
        errno = ECONNRESET;
        return -1;
    }
    end(PASS);
    return done;
}
ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *size) {
    return lost_or(fd, syscall(SYS_recvfrom, fd, bytes, length, flags, from, size), flags);
}
ssize_t recv(int fd, void *bytes, size_t length, int flags) { return recvfrom(fd, bytes, length, flags, NULL, NULL); }
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return lost_or(fd, syscall(SYS_recvmsg, fd, message, flags), flags);
}
ssize_t read(int fd, void *bytes, size_t length) {
    long done = syscall(SYS_read, fd, bytes, length);
    return COUNTS(GOT) ? lost_or(fd, done, 0) : done;
}
ssize_t readv(int fd, const struct iovec *parts, int count) {
    long done = syscall(SYS_readv, fd, parts, count);
    return COUNTS(GOT) ? lost_or(fd, done, 0) : done;
}

#define BY_DESCRIPTOR(kind_, fd_, call_, real_)                                                                        \
    char path[PATH_MAX];                                                                                               \
    if (!COUNTS(kind_) || !resolve(fd_, NULL, path) || !is_below(path)) return real_;                                  \
    WHOLE(kind_, call_, path, NULL, real_)
#define BY_NAME(kind_, at_, name_, call_, real_)                                                                       \
    char path[PATH_MAX];                                                                                               \
    if (!COUNTS(kind_) || !resolve(at_, name_, path) || !is_below(path)) return real_;                                 \
    WHOLE(kind_, call_, path, NULL, real_)

int fsync(int fd) { BY_DESCRIPTOR(SYNC, fd, "fsync", syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { BY_DESCRIPTOR(SYNC, fd, "fsync", syscall(SYS_fdatasync, fd)); }
static int cut(int fd, off_t length) {
    char path[PATH_MAX], size[32];
    if (!COUNTS(SIZE) || !resolve(fd, NULL, path) || !is_below(path)) return syscall(SYS_ftruncate, fd, length);
    snprintf(size, sizeof size, "%ld", (long)length);
    WHOLE(SIZE, "truncate", path, size, syscall(SYS_ftruncate, fd, length));
}
int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }
static int allocate(int fd, int mode, off_t offset, off_t length) {
    BY_DESCRIPTOR(SIZE, fd, "allocate", syscall(SYS_fallocate, fd, mode, offset, length));
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return allocate(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return allocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return allocate(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

int renameat2(int old_at, const char *old, int new_at, const char *new, unsigned flags) {
    char from[PATH_MAX], to[PATH_MAX];
#define REAL syscall(SYS_renameat2, old_at, old, new_at, new, flags)
    if (!COUNTS(NAME) || !resolve(old_at, old, from) || !resolve(new_at, new, to) || !(is_below(from) || is_below(to)))
        return REAL;
    WHOLE(NAME, "rename", from, to, REAL);
#undef REAL
}
int renameat(int old_at, const char *old, int new_at, const char *new) { return renameat2(old_at, old, new_at, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int old_at, const char *old, int new_at, const char *new, int flags) {
    char from[PATH_MAX], to[PATH_MAX];
#define REAL syscall(SYS_linkat, old_at, old, new_at, new, flags)
    if (!COUNTS(NAME) || !resolve(old_at, old, from) || !resolve(new_at, new, to) || !is_below(to)) return REAL;
    WHOLE(NAME, "link", from, to, REAL);
#undef REAL
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }
int symlinkat(const char *target, int at, const char *name) { BY_NAME(NAME, at, name, "symlink", syscall(SYS_symlinkat, target, at, name)); }
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }
int unlinkat(int at, const char *name, int flags) {
    BY_NAME(NAME, at, name, flags & AT_REMOVEDIR ? "rmdir" : "unlink", syscall(SYS_unlinkat, at, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int remove(const char *name) {
    int saved = errno;
    if (unlink(name) == 0) return 0;
    if (errno != EISDIR && errno != EPERM) return -1;
    errno = saved;
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int mkdirat(int at, const char *name, mode_t mode) { BY_NAME(NAME, at, name, "mkdir", syscall(SYS_mkdirat, at, name, mode)); }
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

static int opened(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int kind = flags & (O_CREAT | O_TRUNC) ? MAKE : LOOK;
#define REAL syscall(SYS_openat, at, name, flags, mode)
    if (!COUNTS(kind) || !resolve(at, name, path) || !is_below(path)) return REAL;
    WHOLE(kind, kind == LOOK ? "open" : flags & O_TRUNC ? "empty" : "create", path, NULL, REAL);
#undef REAL
}
#define MODE                                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                                               \
        va_list more;                                                                                                  \
        va_start(more, flags), mode = va_arg(more, mode_t), va_end(more);                                              \
    }
int open(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE return opened(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE return opened(at, name, flags, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
