@echo off
setlocal DisableDelayedExpansion
set "folders=%PATH:"=%"
set "python="
for %%D in ("%folders:;=" "%") do for %%E in (.exe .bat .cmd) do if exist "%%~D\python%%E" call :take "%%~D\python%%E"
if defined python goto launcher
echo chef-run-launcher: needs Python 3.9 or newer on the PATH>&2
exit /b 1

rem The first one. An empty python.exe is what Windows offers Python by, or an installed one: only a start can tell.
:take
if defined python exit /b
if not "%~z1"=="0" set "python=%~1"
if defined python exit /b
"%~1" -c "" >nul 2>nul
if not errorlevel 1 set "python=%~1"
exit /b

rem No -I here, of which Python 2 knows nothing.
:launcher
endlocal & "%python%" -E -s -S "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" %*
