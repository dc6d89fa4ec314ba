/* Functions of POSIX threads that Rust's standard library links and that a system without threads never calls. */
enum { NOT_SUPPORTED = 58 };

int pthread_join(void *thread, void **result) {
    (void)thread;
    (void)result;
    return NOT_SUPPORTED;
}

int pthread_detach(void *thread) {
    (void)thread;
    return NOT_SUPPORTED;
}
