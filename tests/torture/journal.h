/* The shim's journal: part of shim.c, which says what it is for. */

/* The journal: a line "kind a b c length", then that many bytes, written in one piece. */

static void note(char kind, unsigned long a, unsigned long b, unsigned long c, const void *data, size_t length) {
    char head[128];
    int size = snprintf(head, sizeof head, "%c %lu %lu %lu %zu\n", kind, a, b, c, length);
    struct iovec pieces[2] = {{head, (size_t)size}, {(void *)data, length}};
    syscall(SYS_writev, journal_fd, pieces, 2);
}

static unsigned long inode(const char *path) {
    struct stat facts;
    return lstat(path, &facts) == 0 ? facts.st_ino : 0;
}

static unsigned long inode_of(int fd) {
    struct stat facts;
    return fstat(fd, &facts) == 0 ? facts.st_ino : 0;
}

static unsigned long folder_of(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) return 0;
    *slash = 0;
    return inode(folder);
}

static const char *name_in(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static int journalled(const char *path) {
    if (journal_fd < 0 || !watched(path)) return 0;
    pthread_mutex_lock(&journal_lock);
    return 1;
}

static void done(int held) {
    int kept = errno;
    if (held) pthread_mutex_unlock(&journal_lock);
    errno = kept;
}
