#include "archive/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/layout.h"
#include "base/write.h"

/** What the child says before it ends, followed by the data. */
typedef struct {
  dcs_status status;
  dcs_error err;
} answer;

static void limit(int resource, rlim_t most)
{
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) return;
  now.rlim_cur = now.rlim_cur == RLIM_INFINITY || most < now.rlim_cur ? most : now.rlim_cur;
  if (now.rlim_max != RLIM_INFINITY && now.rlim_cur > now.rlim_max) now.rlim_cur = now.rlim_max;
  setrlimit(resource, &now);
}

/** Address space in use, bytes: what a limit has to be added to (sanitizers reserve terabytes). */
static rlim_t address_space(void)
{
  unsigned long long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) return RLIM_INFINITY;
  if (fscanf(file, "%llu", &pages) != 1) pages = 0;
  fclose(file);
  return pages == 0 ? RLIM_INFINITY : (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void set_limits(const char *path)
{
  enum { MEGABYTE = 1 << 20, TIMES = 64, SECONDS = 60 };
  struct stat info = {0};
  rlim_t bytes = stat(path, &info) == 0 ? (rlim_t)info.st_size : 0, used = address_space();
  if (used != RLIM_INFINITY) limit(RLIMIT_AS, used + 1024 * (rlim_t)MEGABYTE + TIMES * bytes);
  limit(RLIMIT_CPU, SECONDS + bytes / MEGABYTE);
  limit(RLIMIT_CORE, 0);
}

/** Never returns. Nothing of what a dying library has to say reaches the user. */
static void child(int out, const char *path, dcs_status (*read)(const char *, void *, dcs_error *), void *data,
                  size_t n_data)
{
  answer a = {.err = {""}};
  int null = open("/dev/null", O_WRONLY);
  if (null >= 0) dup2(null, STDERR_FILENO);
  set_limits(path);
  a.status = read(path, data, &a.err);
  bool told = dcs_write_all(out, &a, sizeof a) && dcs_write_all(out, data, n_data);
  _exit(told ? 0 : 1); /* without the exit handlers of libraries, and without flushing the parent's output again */
}

/** All `n` bytes, or false when the writer ended before. */
static bool read_all(int in, void *bytes, size_t n)
{
  for (char *at = bytes; n > 0;) {
    ssize_t got = read(in, at, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    n -= (size_t)got;
  }
  return true;
}

dcs_status dcs_guard(const char *path, dcs_status (*read)(const char *path, void *data, dcs_error *err), void *data,
                     size_t n_data, dcs_error *err)
{
  int pipe_end[2], how = 0;
  answer a;
  H5open(); /* once, here, and not in every child and here again */
  if (pipe(pipe_end) != 0) return dcs_fail(err, DCS_EIO, "%s: cannot make a pipe: %s", path, strerror(errno));
  pid_t pid = fork();
  if (pid == 0) {
    close(pipe_end[0]);
    child(pipe_end[1], path, read, data, n_data);
  }
  int failure = errno;
  close(pipe_end[1]);
  bool told = pid > 0 && read_all(pipe_end[0], &a, sizeof a) && read_all(pipe_end[0], data, n_data);
  close(pipe_end[0]);
  if (pid < 0) return dcs_fail(err, DCS_EIO, "%s: cannot start a process to read it: %s", path, strerror(failure));
  while (waitpid(pid, &how, 0) < 0 && errno == EINTR) continue;
  if (!told && WIFSIGNALED(how) && WTERMSIG(how) == SIGXCPU)
    return dcs_fail(err, DCS_ECORRUPT, "%s: damaged: HDF5 came to no end with it", path);
  if (!told) return dcs_fail(err, DCS_ECORRUPT, "%s: damaged: HDF5 crashed on it", path);
  if (a.status != DCS_OK) dcs_fail(err, a.status, "%s", a.err.text);
  return a.status;
}

/** The result, and the tables that are kept when one of them is written anew. */
static dcs_status read_everything(const char *path, void *data, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_h5 h5;
  dcs_result *result = NULL;
  dcs_table_copy fits = {0}, claims = {0};
  (void)data;
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(dcs_result_get(&h5, &result));
  DCS_TRY(dcs_table_get(&h5, "fits", &fits));
  DCS_TRY(dcs_table_get(&h5, "claims", &claims));
done:
  dcs_table_copy_destroy(&fits);
  dcs_table_copy_destroy(&claims);
  dcs_result_destroy(&result);
  dcs_h5_close(&h5);
  return st;
}

dcs_status dcs_guard_result(const char *path, dcs_result **out, dcs_error *err)
{
  *out = NULL;
  dcs_status st = dcs_guard(path, read_everything, NULL, 0, err);
  return st == DCS_OK ? dcs_result_read(path, out, err) : st;
}
