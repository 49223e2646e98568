#include "base/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
  enum { MEGABYTE = 1 << 20, TIMES = 64, SECONDS = 60, PATIENCE = 10 };
  struct stat info = {0};
  rlim_t bytes = stat(path, &info) == 0 ? (rlim_t)info.st_size : 0, used = address_space();
  if (used != RLIM_INFINITY) limit(RLIMIT_AS, used + 1024 * (rlim_t)MEGABYTE + TIMES * bytes);
  limit(RLIMIT_CPU, SECONDS + bytes / MEGABYTE);
  limit(RLIMIT_CORE, 0);
  alarm((unsigned)(PATIENCE * (SECONDS + bytes / MEGABYTE))); /* for a child that waits, and does not compute */
}

bool dcs_guard_is_possible(void)
{
  int initialized = 0;
  MPI_Initialized(&initialized);
  return initialized == 0;
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
  if (!dcs_guard_is_possible())
    return dcs_fail(err, DCS_EMPI, "%s: a process that talks to others cannot be forked", path);
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
  if (!told && WIFSIGNALED(how) && (WTERMSIG(how) == SIGXCPU || WTERMSIG(how) == SIGALRM))
    return dcs_fail(err, DCS_ECORRUPT, "%s: damaged: HDF5 came to no end with it", path);
  if (!told) return dcs_fail(err, DCS_ECORRUPT, "%s: damaged: HDF5 crashed on it", path);
  if (a.status != DCS_OK) dcs_fail(err, a.status, "%s", a.err.text);
  return a.status;
}
