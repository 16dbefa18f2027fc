/* The plainest relay there can be, `copy pipe|terminal PROGRAM [ARGUMENT...]`: runs a program with its output on
   a pipe, or on a terminal, and copies that to its own. */
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char buffer[1 << 16];
    int ends[2], status;
    ssize_t got;
    if (argc < 3 || (strcmp(argv[1], "terminal") ? pipe(ends) : openpty(&ends[0], &ends[1], 0, 0, 0))) return 1;
    if (!fork()) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, wrote; done < got; done += wrote)
            if ((wrote = write(1, buffer + done, got - done)) < 0) return 1;
    wait(&status);
    return status != 0;
}
