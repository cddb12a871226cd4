/*
 * A pthread_setname_np that does nothing and succeeds, preloaded in the image.
 *
 * Lambda does not allow naming threads, and MediaPipe logs an error for every
 * thread that it cannot name. Names only help debuggers.
 *
 * The prototype is that of pthread_setname_np(3) without its header; pthread_t
 * is an unsigned long on Linux.
 */

int pthread_setname_np(unsigned long thread, const char *name);

int pthread_setname_np(unsigned long thread, const char *name)
{
    (void)thread;
    (void)name;
    return 0;
}
