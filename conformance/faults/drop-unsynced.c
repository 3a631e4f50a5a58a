/*
 * Records what a program does to the files below one folder, so that a test can work out what a power cut
 * would have left of it. Loaded with LD_PRELOAD; support/power-cut.ts reads the journal.
 *
 *   RECORD_ROOT      the folder: absolute, without symbolic links
 *   RECORD_JOURNAL   the file to append to, outside of the folder
 *   RECORD_IGNORE    kind:part   fsync and fdatasync of what has `part` in its path do nothing, and are not
 *                    recorded; kind is `file` or `folder`. For showing that the test notices.
 *   RECORD_KILL_AT   SIGKILL to itself right after that many records
 *
 * A write is recorded when it has been done and before its caller knows, a sync when it begins and when it has
 * ended: what a caller was told before a sync began stands before it in the journal. Names change under a
 * lock, so that the journal has them in the order in which they happened.
 *
 * Not recorded: the -shm file of SQLite, which is memory and rebuilt after a crash. A call that would change
 * files in a way that is not understood is recorded as such (drop-unsynced-refused.h), and the reader refuses
 * the journal.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drop-unsynced-journal.h"

#define MOST_FDS 65536

static const char *root;
static size_t root_length;
static char ignored_kind;
static const char *ignored_part;
static uint64_t last_handle;
static uint64_t last_ticket;
/* 0: not below the root. */
static uint64_t handles[MOST_FDS];
static char sync_ignored[MOST_FDS];
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real_##name)
#define REALS(each) \
  each(open) each(openat) each(close) each(write) each(writev) each(pwrite) each(pwritev) each(pwritev2) \
  each(ftruncate) each(truncate) each(fallocate) each(posix_fallocate) each(rename) each(renameat) \
  each(unlink) each(unlinkat) each(mkdir) each(mkdirat) each(rmdir) each(fsync) each(fdatasync) \
  each(sync_file_range) each(dup) each(dup2) each(dup3) each(link) each(linkat) each(symlink) \
  each(sendfile) each(copy_file_range) each(mmap) each(fopen) each(syscall)
ssize_t sendfile(int, int, off_t *, size_t);
#define DECLARE(name) static void *real_##name;
REALS(DECLARE)

__attribute__((constructor)) static void begin(void) {
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name);
  REALS(FIND)
  const char *folder = getenv("RECORD_ROOT");
  const char *file = getenv("RECORD_JOURNAL");
  if (!folder || !file) return;
  root = strdup(folder);
  root_length = strlen(root);
  const char *ignore = getenv("RECORD_IGNORE");
  if (ignore && strchr(ignore, ':')) {
    ignored_kind = strncmp(ignore, "folder:", 7) == 0 ? 'd' : 'f';
    ignored_part = strdup(strchr(ignore, ':') + 1);
  }
  const char *at = getenv("RECORD_KILL_AT");
  kill_at = at ? atol(at) : 0;
  journal_write = REAL(write);
  int fd = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  journal = fcntl(fd, F_DUPFD_CLOEXEC, 900);
  REAL(close)(fd);
  /* Programs that it starts have no business in the folder. */
  unsetenv("LD_PRELOAD");
}

/* The part of the path below the root ("" is the root itself), or NULL. */
static const char *below(const char *path) {
  if (!root || !path || strncmp(path, root, root_length) != 0) return NULL;
  if (path[root_length] != '/' && path[root_length] != 0) return NULL;
  const char *rest = path + root_length;
  while (*rest == '/') rest++;
  size_t length = strlen(rest);
  if (length >= 4 && strcmp(rest + length - 4, "-shm") == 0) return NULL;
  return rest;
}

static int changes_files(long number) {
  return number == SYS_write || number == SYS_writev || number == SYS_pwrite64 || number == SYS_pwritev ||
         number == SYS_pwritev2 || number == SYS_ftruncate || number == SYS_fallocate || number == SYS_fsync ||
         number == SYS_fdatasync;
}

static uint64_t handle_of(int fd) {
  return fd >= 0 && fd < MOST_FDS ? __atomic_load_n(&handles[fd], __ATOMIC_ACQUIRE) : 0;
}

static int open_below(const char *path, const char *rest, int flags, mode_t mode) {
  pthread_mutex_lock(&names_lock);
  struct stat before;
  int there = stat(path, &before) == 0;
  int fd = REAL(open)(path, flags, mode);
  if (fd >= MOST_FDS) abort();
  if (fd >= 0) {
    struct stat now;
    fstat(fd, &now);
    int folder = S_ISDIR(now.st_mode);
    uint64_t how = (folder ? IS_FOLDER : 0) | (there ? 0 : WAS_MADE) | (flags & O_TRUNC ? WAS_EMPTIED : 0);
    uint64_t handle = ++last_handle;
    sync_ignored[fd] = ignored_kind == (folder ? 'd' : 'f') && strstr(path, ignored_part) != NULL;
    __atomic_store_n(&handles[fd], handle, __ATOMIC_RELEASE);
    record_text(OPENED, handle, how, rest);
  }
  pthread_mutex_unlock(&names_lock);
  return fd;
}

#define MODE_OF(flags, mode)                    \
  mode_t mode = 0;                              \
  if ((flags) & (O_CREAT | __O_TMPFILE)) {      \
    va_list list;                               \
    va_start(list, flags);                      \
    mode = (mode_t)va_arg(list, int);           \
    va_end(list);                               \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  const char *rest = below(path);
  return rest ? open_below(path, rest, flags, mode) : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  const char *rest = below(path);
  return rest ? open_below(path, rest, flags, mode) : REAL(open)(path, flags | O_LARGEFILE, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  const char *rest = below(path);
  if (!rest && handle_of(folder)) not_understood("openat");
  return rest ? open_below(path, rest, flags, mode) : REAL(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  const char *rest = below(path);
  if (!rest && handle_of(folder)) not_understood("openat64");
  return rest ? open_below(path, rest, flags, mode) : REAL(openat)(folder, path, flags, mode);
}
int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Before the number is free: another thread may be given it at once. */
static void closing(int fd) {
  if (handle_of(fd)) __atomic_store_n(&handles[fd], 0, __ATOMIC_RELEASE);
}
int close(int fd) {
  closing(fd);
  return REAL(close)(fd);
}
/* libuv closes files in this way. */
long syscall(long number, ...) {
  long given[6];
  va_list list;
  va_start(list, number);
  for (int at = 0; at < 6; at++) given[at] = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) closing((int)given[0]);
  else if (changes_files(number) && handle_of((int)given[0])) not_understood("syscall");
  return REAL(syscall)(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

/* What was written of `parts`: a call may take less than all. */
static void record_written(uint64_t handle, uint64_t at, const struct iovec *parts, int count, size_t done) {
  struct iovec taken[IOV_MAX];
  int used = 0;
  for (; used < count && done > 0; used++) {
    taken[used] = parts[used];
    if (taken[used].iov_len > done) taken[used].iov_len = done;
    done -= taken[used].iov_len;
  }
  record(WRITTEN, handle, at, taken, used);
}

static ssize_t written(int fd, off_t at, const struct iovec *parts, int count, ssize_t done) {
  uint64_t handle = handle_of(fd);
  if (!handle || done <= 0) return done;
  if (at < 0) at = lseek(fd, 0, SEEK_CUR) - done;
  record_written(handle, (uint64_t)at, parts, count, (size_t)done);
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  struct iovec part = {(void *)bytes, length};
  return written(fd, -1, &part, 1, REAL(write)(fd, bytes, length));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return written(fd, -1, parts, count, REAL(writev)(fd, parts, count));
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  struct iovec part = {(void *)bytes, length};
  return written(fd, at, &part, 1, REAL(pwrite)(fd, bytes, length, at));
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return pwrite(fd, bytes, length, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  return written(fd, at, parts, count, REAL(pwritev)(fd, parts, count, at));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return pwritev(fd, parts, count, at); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
  return written(fd, at, parts, count, REAL(pwritev2)(fd, parts, count, at, flags));
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
  return pwritev2(fd, parts, count, at, flags);
}

int ftruncate(int fd, off_t length) {
  int result = REAL(ftruncate)(fd, length);
  if (result == 0 && handle_of(fd)) record(TRUNCATED, handle_of(fd), (uint64_t)length, NULL, 0);
  return result;
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }
static int synced(int fd, int (*sync)(int)) {
  uint64_t handle = handle_of(fd);
  if (!handle) return sync(fd);
  if (sync_ignored[fd]) return 0;
  uint64_t ticket = __atomic_add_fetch(&last_ticket, 1, __ATOMIC_RELAXED);
  record(SYNC_BEGUN, handle, ticket, NULL, 0);
  int result = sync(fd);
  if (result == 0) record(SYNC_ENDED, handle, ticket, NULL, 0);
  return result;
}
int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }
/* Promises nothing about durability, so there is nothing to record. */
int sync_file_range(int fd, off_t at, off_t length, unsigned int flags) {
  return REAL(sync_file_range)(fd, at, length, flags);
}

#define NAMED(result_of, kind, rest)                   \
  pthread_mutex_lock(&names_lock);                     \
  int result = result_of;                              \
  if (result == 0) record_text(kind, 0, 0, rest);      \
  pthread_mutex_unlock(&names_lock);                   \
  return result;

int unlink(const char *path) {
  const char *rest = below(path);
  if (!rest) return REAL(unlink)(path);
  NAMED(REAL(unlink)(path), UNLINKED, rest)
}
int rmdir(const char *path) {
  const char *rest = below(path);
  if (!rest) return REAL(rmdir)(path);
  NAMED(REAL(rmdir)(path), FOLDER_REMOVED, rest)
}
int unlinkat(int folder, const char *path, int flags) {
  const char *rest = below(path);
  if (!rest && handle_of(folder)) not_understood("unlinkat");
  if (!rest) return REAL(unlinkat)(folder, path, flags);
  NAMED(REAL(unlinkat)(folder, path, flags), flags & AT_REMOVEDIR ? FOLDER_REMOVED : UNLINKED, rest)
}
int mkdir(const char *path, mode_t mode) {
  const char *rest = below(path);
  if (!rest) return REAL(mkdir)(path, mode);
  NAMED(REAL(mkdir)(path, mode), FOLDER_MADE, rest)
}
int mkdirat(int folder, const char *path, mode_t mode) {
  if (below(path) || handle_of(folder)) not_understood("mkdirat");
  return REAL(mkdirat)(folder, path, mode);
}
int rename(const char *from, const char *to) {
  const char *source = below(from), *target = below(to);
  if (!source && !target) return REAL(rename)(from, to);
  if (!source || !target) not_understood("rename across the root");
  char both[2 * PATH_MAX];
  snprintf(both, sizeof both, "%s\n%s", source ? source : "", target ? target : "");
  NAMED(REAL(rename)(from, to), RENAMED, both)
}
int renameat(int old, const char *from, int new, const char *to) {
  if (below(from) || below(to) || handle_of(old) || handle_of(new)) not_understood("renameat");
  return REAL(renameat)(old, from, new, to);
}

#include "drop-unsynced-refused.h"
