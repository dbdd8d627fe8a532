/* Has one system call fail: the n-th of a name, from the moment at which that is asked for; or all
   from the n-th on, if n is negative.

   To be preloaded before the C library; a program asks by calling `fail_call` of its own process. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char failing_name[16];
static int failing_index, failing_error, n_calls;

void fail_call(const char *name, int index, int error) {
  strncpy(failing_name, name, sizeof failing_name - 1);
  failing_index = index;
  failing_error = error;
  n_calls = 0;
}

int count_calls(void) { return n_calls; }

static int fails(const char *name) {
  if (strcmp(name, failing_name) != 0) return 0;
  int index = __atomic_add_fetch(&n_calls, 1, __ATOMIC_SEQ_CST);
  if (failing_index < 0 ? index < -failing_index : index != failing_index) return 0;
  errno = failing_error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(type, group, name, parameters, ...) \
  type name parameters { return fails(group) ? -1 : REAL(name)(__VA_ARGS__); }

CALL(ssize_t, "read", read, (int file, void *to, size_t size), file, to, size)
CALL(ssize_t, "pread", pread, (int file, void *to, size_t size, off_t at), file, to, size, at)
CALL(ssize_t, "pread", pread64, (int file, void *to, size_t size, off64_t at), file, to, size, at)
CALL(int, "fsync", fsync, (int file), file)
CALL(int, "ftruncate", ftruncate, (int file, off_t size), file, size)
CALL(int, "ftruncate", ftruncate64, (int file, off64_t size), file, size)
CALL(int, "linkat", linkat, (int a, const char *from, int b, const char *to, int flags),
     a, from, b, to, flags)
CALL(int, "rename", rename, (const char *from, const char *to), from, to)
CALL(int, "mkdir", mkdir, (const char *path, mode_t mode), path, mode)

/* What is said on standard error is no data. */
ssize_t write(int file, const void *from, size_t size) {
  return file != 2 && fails("write") ? -1 : REAL(write)(file, from, size);
}

#define OPEN(name)                                                 \
  int name(const char *path, int flags, ...) {                     \
    va_list rest;                                                  \
    va_start(rest, flags);                                         \
    mode_t mode = va_arg(rest, int);                               \
    va_end(rest);                                                  \
    return fails("open") ? -1 : REAL(name)(path, flags, mode);     \
  }

OPEN(open)
OPEN(open64)
