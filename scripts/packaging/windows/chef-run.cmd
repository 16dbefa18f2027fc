@echo off
python -I -S "%~dp0..\lib\chef-run-launcher\launcher\__main__.py" exec %*
