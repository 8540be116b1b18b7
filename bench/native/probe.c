/* How fast a core is just now: additions per microsecond of processor time, over four milliseconds.
 *
 * A neighbour on the other hardware thread of a virtual machine's core slows everything by half for
 * seconds at a time. Processor time grows with it, and no counter of the guest shows it; this does.
 * Other programs on the same core show in the second number, which is per microsecond of real time. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id) {
    struct timespec moment;
    clock_gettime(id, &moment);
    return (uint64_t)moment.tv_sec * 1000000000ull + (uint64_t)moment.tv_nsec;
}

int main(void) {
    const uint64_t enough = 4000000;
    uint64_t started = clock_ns(CLOCK_MONOTONIC), cpu_started = clock_ns(CLOCK_PROCESS_CPUTIME_ID), rounds = 0;
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    do {
        for (int i = 0; i < 2000; i++) {
            a += b ^ 0x9e37;
            c += d ^ 0x79b9;
            e += f ^ 0x7f4a;
            b = (b << 1) | (b >> 63);
            d = (d << 3) | (d >> 61);
            f = (f << 5) | (f >> 59);
            __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
        }
        rounds += 2000;
    } while (clock_ns(CLOCK_MONOTONIC) - started < enough);
    double cpu = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_started) / 1e3;
    double real = (double)(clock_ns(CLOCK_MONOTONIC) - started) / 1e3;
    printf("%.3f %.3f\n", (double)rounds / cpu, (double)rounds / real);
    return 0;
}
