/*
 * System calls of the epoll fast path.
 */
#ifndef FST_FAST_PATH_H
#define FST_FAST_PATH_H

#include <stddef.h>

#ifdef __linux__

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum { FST_HAS_FAST_PATH = 1 };

/* Nanoseconds of the monotonic clock. */
static inline int64_t
fst_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * Waits on the epoll instance `loop_fd` until `fd`, and no other descriptor, is readable, and
 * receives up to `size` bytes. Returns how many; 0 on a timeout, if another descriptor is ready,
 * and at the end of the connection. No event is lost: epoll is level-triggered here.
 */
static inline ptrdiff_t
fst_receive_alone(int loop_fd, int fd, void *start, size_t size, int milliseconds)
{
    struct epoll_event events[2];
    ptrdiff_t received;
    if (epoll_wait(loop_fd, events, 2, milliseconds) != 1)
        return 0;
    if (events[0].data.fd != fd || events[0].events != EPOLLIN)
        return 0;
    received = recv(fd, start, size, MSG_DONTWAIT);
    return received > 0 ? received : 0;
}

/* Returns whether there is something to read. */
static inline int
fst_has_more(int fd)
{
    int size = 0;
    return ioctl(fd, FIONREAD, &size) == 0 && size > 0;
}

/* Sleeps. The kernel's timer slack adds some tens of microseconds. */
static inline void
fst_pause(int64_t nanoseconds)
{
    struct timespec pause = {.tv_nsec = nanoseconds};
    nanosleep(&pause, NULL);
}

/* Sends without blocking. Returns the bytes sent, 0 also if the connection has failed. */
static inline ptrdiff_t
fst_send(int fd, const void *start, size_t size)
{
    ptrdiff_t sent = send(fd, start, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? sent : 0;
}

#else

enum { FST_HAS_FAST_PATH = 0 };

static inline long long
fst_now(void)
{
    return 0;
}

static inline ptrdiff_t
fst_receive_alone(int loop_fd, int fd, void *start, size_t size, int milliseconds)
{
    (void)loop_fd, (void)fd, (void)start, (void)size, (void)milliseconds;
    return 0;
}

static inline int
fst_has_more(int fd)
{
    (void)fd;
    return 0;
}

static inline void
fst_pause(long long nanoseconds)
{
    (void)nanoseconds;
}

static inline ptrdiff_t
fst_send(int fd, const void *start, size_t size)
{
    (void)fd, (void)start, (void)size;
    return 0;
}

#endif

#endif
