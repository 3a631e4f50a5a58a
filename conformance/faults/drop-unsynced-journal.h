/*
 * The journal that drop-unsynced.c writes; support/journal.ts reads it. A record is a head of 32 bytes and
 * `length` bytes (paths without a final zero).
 */
enum kind {
  OPENED = 1,
  WRITTEN,
  TRUNCATED,
  SYNC_BEGUN,
  SYNC_ENDED,
  UNLINKED,
  FOLDER_MADE,
  FOLDER_REMOVED,
  RENAMED,
  UNKNOWN
};

enum { WAS_MADE = 1, WAS_EMPTIED = 2, IS_FOLDER = 4 };

struct head {
  uint32_t magic;
  uint32_t kind;
  uint64_t handle;
  uint64_t number;
  uint64_t length;
};

#define MAGIC 0x4c4e524aU

static int journal = -1;
static ssize_t (*journal_write)(int, const void *, size_t);
static long kill_at;
static long records;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;

static void put_all(const void *bytes, size_t length) {
  const char *next = bytes;
  while (length > 0) {
    ssize_t done = journal_write(journal, next, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) abort();
    next += done;
    length -= (size_t)done;
  }
}

static void record(enum kind kind, uint64_t handle, uint64_t number, const struct iovec *parts, int count) {
  int kept = errno;
  struct head head = {MAGIC, kind, handle, number, 0};
  for (int at = 0; at < count; at++) head.length += parts[at].iov_len;
  pthread_mutex_lock(&journal_lock);
  put_all(&head, sizeof head);
  for (int at = 0; at < count; at++) put_all(parts[at].iov_base, parts[at].iov_len);
  if (kill_at > 0 && ++records >= kill_at) kill(getpid(), SIGKILL);
  pthread_mutex_unlock(&journal_lock);
  errno = kept;
}

static void record_text(enum kind kind, uint64_t handle, uint64_t number, const char *text) {
  struct iovec part = {(void *)text, strlen(text)};
  record(kind, handle, number, &part, 1);
}

static void not_understood(const char *what) { record_text(UNKNOWN, 0, 0, what); }
