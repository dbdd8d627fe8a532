/* Makes one system call fail: the FAIL_AT-th call of FAIL_CALL fails with the error number FAIL_ERRNO.

   Preloaded before the C library.  Counting begins when the file FAIL_FROM is opened for the first
   time, so that a program's own start is left alone.  When FAIL_COUNT names a file, nothing fails, and the number of
   calls is written there at exit. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int counting, n_calls, fail_at, fail_errno;
static const char *fail_call, *fail_from, *count_file;

__attribute__((constructor)) static void begin(void) {
  const char *number = getenv("FAIL_AT"), *error = getenv("FAIL_ERRNO");
  fail_call = getenv("FAIL_CALL");
  fail_from = getenv("FAIL_FROM");
  count_file = getenv("FAIL_COUNT");
  fail_at = number ? atoi(number) : 0;
  fail_errno = error ? atoi(error) : EIO;
}

__attribute__((destructor)) static void end(void) {
  if (count_file) {
    char text[32];
    int length = snprintf(text, sizeof text, "%d", n_calls);
    int file = syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    syscall(SYS_write, file, text, length);
  }
}

static int fails(const char *call) {
  if (!counting || !fail_call || strcmp(call, fail_call) != 0) return 0;
  if (__atomic_add_fetch(&n_calls, 1, __ATOMIC_SEQ_CST) != fail_at) return 0;
  errno = fail_errno;
  return 1;
}

static void look(const char *path) {
  if (!counting && fail_from && strstr(path, fail_from)) counting = 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int file, void *buffer, size_t size) {
  return fails("read") ? -1 : REAL(read)(file, buffer, size);
}

ssize_t pread64(int file, void *buffer, size_t size, off64_t offset) {
  return fails("pread") ? -1 : REAL(pread64)(file, buffer, size, offset);
}

ssize_t pread(int file, void *buffer, size_t size, off_t offset) {
  return fails("pread") ? -1 : REAL(pread)(file, buffer, size, offset);
}

ssize_t write(int file, const void *buffer, size_t size) {
  /* What is said on standard error is no data. */
  return file != 2 && fails("write") ? -1 : REAL(write)(file, buffer, size);
}

int fsync(int file) { return fails("fsync") ? -1 : REAL(fsync)(file); }

int ftruncate64(int file, off64_t length) {
  return fails("ftruncate") ? -1 : REAL(ftruncate64)(file, length);
}

int linkat(int from, const char *path, int to, const char *target, int flags) {
  return fails("linkat") ? -1 : REAL(linkat)(from, path, to, target, flags);
}

int rename(const char *path, const char *target) {
  return fails("rename") ? -1 : REAL(rename)(path, target);
}

static int opened(const char *name, const char *path, int flags, mode_t mode) {
  look(path);
  if (fails("open")) return -1;
  return ((int (*)(const char *, int, mode_t))dlsym(RTLD_NEXT, name))(path, flags, mode);
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                         \
    return opened(#name, path, flags, mode);                              \
  }

OPEN(open)
OPEN(open64)
