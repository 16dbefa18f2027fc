/* A program that prints what it was started with, one word a line in UTF-8, and exits with $EXIT_CODE. */
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#include <shellapi.h>

int main(void)
{
    int count;
    LPWSTR *words = CommandLineToArgvW(GetCommandLineW(), &count);
    for (int i = 1; i < count; i++) {
        char text[4096];
        WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof text, NULL, NULL);
        printf("%s\n", text);
    }
    const char *code = getenv("EXIT_CODE");
    return code ? atoi(code) : 0;
}
