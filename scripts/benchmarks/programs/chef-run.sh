#!/bin/sh
# What chef-run.c does, where there is no compiler: MILLISECONDS are fewer than a thousand.
[ -z "$MEGABYTES" ] || yes 'a line of text as programs print them' | head -c "${MEGABYTES}M"
[ -z "$MILLISECONDS" ] || sleep "$(printf '0.%03d' "$MILLISECONDS")"
