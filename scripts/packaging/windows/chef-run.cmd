@echo off
if exist "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" for %%P in (python.exe python.bat python.cmd) do if not "%%~$PATH:P"=="" goto launcher

rem Without us: the next chef-run on the PATH. The folder of this one is known by its other shim, however it is written.
setlocal
set "folders=%PATH:"=%"
for %%D in ("%folders:;=" "%") do for %%E in (.com .exe .bat .cmd) do if exist "%%~D\chef-run%%E" if not exist "%%~D\chef-run-launcher.cmd" (
    set "found=%%~D\chef-run%%E"
    goto found
)
echo chef-run-launcher: cannot find chef-run, nor a python to run the launcher with>&2
exit /b 127

:found
endlocal & "%found%" %*
exit /b

:launcher
python -I -S "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" exec %*
