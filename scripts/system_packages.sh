#!/bin/sh
# The browser tests need a Chromium of the system. Install it where that is possible; say so where it is not.
for name in "${SNNLAB_CHROME:-}" chromium chromium-browser google-chrome; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests"
  export DEBIAN_FRONTEND=noninteractive
  if apt-get update -qq >/dev/null &&
    apt-get install -y -qq --no-install-recommends chromium fonts-liberation fonts-dejavu poppler-utils >/dev/null; then
    exit 0
  fi
fi
echo "No Chromium found: the browser tests will be skipped (SNNLAB_CHROME=FILE names one)."
