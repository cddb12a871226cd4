/*
 * Answers pthread_setname_np with success and does nothing.
 *
 * Lambda refuses to name threads, and MediaPipe writes an error to the log for
 * every thread that it can't name. The name serves debuggers only. The image
 * preloads this library, so that MediaPipe finds this answer and not glibc's.
 *
 * No header and no library is needed: the prototype is that of
 * pthread_setname_np(3), pthread_t being an unsigned long on Linux.
 */

int pthread_setname_np(unsigned long thread, const char *name);

int pthread_setname_np(unsigned long thread, const char *name)
{
    (void)thread;
    (void)name;
    return 0;
}
