@echo off
for %%P in (python.exe python.bat python.cmd) do if not "%%~$PATH:P"=="" goto launcher
echo chef-run-launcher: needs a python, 3.9 or newer, on the PATH>&2
exit /b 1

:launcher
python -I -S "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" %*
