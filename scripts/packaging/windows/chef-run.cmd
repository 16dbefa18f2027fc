@echo off
setlocal DisableDelayedExpansion
set "folders=%PATH:"=%"
set "python="
set "next="
if not exist "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" goto without
for %%D in ("%folders:;=" "%") do for %%E in (.exe .bat .cmd) do if exist "%%~D\python%%E" call :take "%%~D\python%%E"
if defined python goto launcher

:without
for %%D in ("%folders:;=" "%") do for %%E in (.com .exe .bat .cmd) do if exist "%%~D\chef-run%%E" call :find "%%~D" %%E
if defined next goto next
echo chef-run-launcher: found neither chef-run nor a Python to run the launcher>&2
exit /b 127

rem The first one that is not ours. The folder of this one is known by its other shim, however it is written.
:find
if not defined next if not exist "%~1\chef-run-launcher.cmd" set "next=%~1\chef-run%2"
exit /b

:next
endlocal & "%next%" %*
exit /b

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
endlocal & "%python%" -E -s -S "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" exec %*
