// See figures.h. /proc/PID/stat counts hundredths of a second; schedstat of each thread counts nanoseconds.

#include "figures.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "transport.h"

// Buckets of 1.6 %: 64 for each power of two.
#define BUCKETS 4096

static uint64_t histogram[BUCKETS], count;

uint64_t clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

double own_cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double cpu_of(const char *pids) {
  double total = 0;
  char list[256], path[512];
  snprintf(list, sizeof list, "%s", pids);
  for (char *pid = strtok(list, ","); pid != NULL; pid = strtok(NULL, ",")) {
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *folder = opendir(path);
    if (folder == NULL) fail("no such process", pid);
    for (struct dirent *thread; (thread = readdir(folder)) != NULL;) {
      if (thread->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "/proc/%s/task/%.32s/schedstat", pid, thread->d_name);
      FILE *file = fopen(path, "r");
      unsigned long long ns = 0;
      if (file == NULL) continue;
      if (fscanf(file, "%llu", &ns) == 1) total += ns / 1e9;
      fclose(file);
    }
    closedir(folder);
  }
  return total;
}

void add_latency(uint64_t ns) {
  int shift = ns < 128 ? 0 : 57 - __builtin_clzll(ns);
  histogram[shift * 64 + (ns >> shift)]++;
  count++;
}

double latency_at(double share) {
  uint64_t wanted = count * share, sum = 0;
  for (unsigned i = 0; i < BUCKETS; i++) {
    sum += histogram[i];
    if (histogram[i] == 0 || sum <= wanted) continue;
    int shift = i < 128 ? 0 : i / 64 - 1;
    return ((uint64_t)(i - shift * 64) << shift) / 1e3;
  }
  return 0;
}
