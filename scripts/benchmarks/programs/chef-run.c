/* A chef-run that takes MILLISECONDS and writes as many MEGABYTES of lines, both from its environment. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    static char lines[1 << 16];
    const char *line = "a line of text as programs print them\n";
    const char *milliseconds = getenv("MILLISECONDS"), *megabytes = getenv("MEGABYTES");
    for (size_t i = 0; i < sizeof lines; i++) lines[i] = line[i % strlen(line)];
    for (long left = megabytes ? atol(megabytes) << 20 : 0, wrote; left > 0; left -= wrote)
        if ((wrote = write(1, lines, sizeof lines)) < 0) return 1;
    if (milliseconds) usleep(atoi(milliseconds) * 1000);
    return 0;
}
