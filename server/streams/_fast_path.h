/*
 * Waiting for one connection in the place of an event loop that waits on epoll.
 */
#ifndef FST_RELAY_H
#define FST_RELAY_H

#include <stddef.h>

#ifdef __linux__

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum { FST_CAN_RELAY = 1 };

/* Nanoseconds of the monotonic clock. */
static inline int64_t
fst_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * Waits until `fd`, and nothing else that `loop_fd` watches, has something to read, and
 * receives up to `size` bytes of it. Returns how many; 0 where nothing came in time, where
 * others have something to do, and where the connection has ended. The events are reported
 * again to whoever asks next: epoll is level-triggered here.
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

/* Tells whether there is something to read. */
static inline int
fst_has_more(int fd)
{
    int size = 0;
    return ioctl(fd, FIONREAD, &size) == 0 && size > 0;
}

/* Sleeps; the kernel's timer slack makes it some tens of microseconds longer. */
static inline void
fst_pause(int64_t nanoseconds)
{
    struct timespec pause = {.tv_nsec = nanoseconds};
    nanosleep(&pause, NULL);
}

/* Sends what fits now. Returns how many bytes; 0 where the connection fails as well. */
static inline ptrdiff_t
fst_send(int fd, const void *start, size_t size)
{
    ptrdiff_t sent = send(fd, start, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? sent : 0;
}

#else

enum { FST_CAN_RELAY = 0 };

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
