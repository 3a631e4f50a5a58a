/*
 * The calls of drop-unsynced.c that would change files in a way that the journal has no words for. The server
 * makes none of them in its data folder; one that comes is recorded, and fails the test.
 */
int truncate(const char *path, off_t length) {
  if (below(path)) not_understood("truncate");
  return REAL(truncate)(path, length);
}
int truncate64(const char *path, off_t length) { return truncate(path, length); }
int fallocate(int fd, int mode, off_t at, off_t length) {
  if (handle_of(fd)) not_understood("fallocate");
  return REAL(fallocate)(fd, mode, at, length);
}
int fallocate64(int fd, int mode, off_t at, off_t length) { return fallocate(fd, mode, at, length); }
int posix_fallocate(int fd, off_t at, off_t length) {
  if (handle_of(fd)) not_understood("posix_fallocate");
  return REAL(posix_fallocate)(fd, at, length);
}
int posix_fallocate64(int fd, off_t at, off_t length) { return posix_fallocate(fd, at, length); }

int link(const char *from, const char *to) {
  if (below(from) || below(to)) not_understood("link");
  return REAL(link)(from, to);
}
int linkat(int old, const char *from, int new, const char *to, int flags) {
  if (below(from) || below(to) || handle_of(old) || handle_of(new)) not_understood("linkat");
  return REAL(linkat)(old, from, new, to, flags);
}
int symlink(const char *from, const char *to) {
  if (below(to)) not_understood("symlink");
  return REAL(symlink)(from, to);
}
ssize_t sendfile(int to, int from, off_t *at, size_t length) {
  if (handle_of(to)) not_understood("sendfile");
  return REAL(sendfile)(to, from, at, length);
}
ssize_t sendfile64(int to, int from, off_t *at, size_t length) { return sendfile(to, from, at, length); }
ssize_t copy_file_range(int from, off_t *at, int to, off_t *put, size_t length, unsigned int flags) {
  if (handle_of(to)) not_understood("copy_file_range");
  return REAL(copy_file_range)(from, at, to, put, length, flags);
}
int dup(int fd) {
  if (handle_of(fd)) not_understood("dup");
  return REAL(dup)(fd);
}
int dup2(int fd, int as) {
  if (handle_of(fd) || handle_of(as)) not_understood("dup2");
  return REAL(dup2)(fd, as);
}
int dup3(int fd, int as, int flags) {
  if (handle_of(fd) || handle_of(as)) not_understood("dup3");
  return REAL(dup3)(fd, as, flags);
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at) {
  if ((protection & PROT_WRITE) && (flags & MAP_SHARED) && !(flags & MAP_ANONYMOUS) && handle_of(fd))
    not_understood("mmap for writing");
  return REAL(mmap)(address, length, protection, flags, fd, at);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t at) {
  return mmap(address, length, protection, flags, fd, at);
}
FILE *fopen(const char *path, const char *how) {
  if (below(path) && strpbrk(how, "wa+")) not_understood("fopen");
  return REAL(fopen)(path, how);
}
FILE *fopen64(const char *path, const char *how) { return fopen(path, how); }
