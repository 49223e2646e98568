#include "base/write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

bool dcs_write_all(int fd, const void *bytes, size_t n)
{
  const char *p = bytes;
  while (n > 0) {
    ssize_t done = write(fd, p, n);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    p += done;
    n -= (size_t)done;
  }
  return true;
}

bool dcs_sync_parent(const char *path)
{
  char *directory = NULL;
  if (dcs_strdup(path, &directory) != DCS_OK) {
    errno = ENOMEM;
    return false;
  }
  char *slash = strrchr(directory, '/');
  if (slash != NULL) slash[slash == directory] = 0;
  int fd = open(slash == NULL ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL); /* some file systems cannot */
  int why = errno;
  if (fd >= 0) close(fd);
  dcs_free(&directory);
  errno = why;
  return good;
}
