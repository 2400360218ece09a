// What the load generator measures: time, processor time, and a histogram of latencies.

#ifndef FIGURES_H
#define FIGURES_H

#include <stdint.h>

#define SECOND 1000000000ull

uint64_t clock_ns(void);

/** User and system time of this process, seconds. */
double own_cpu(void);

/** User and system time of all threads of the processes, seconds. @param pids numbers with commas between */
double cpu_of(const char *pids);

/** Counts a latency. */
void add_latency(uint64_t ns);

/** @returns the latency that this share of the messages has at most, microseconds */
double latency_at(double share);

#endif
