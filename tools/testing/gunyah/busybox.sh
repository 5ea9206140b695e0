#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fetch Debian's static busybox for arm64, the user space of Linux guests:
#   busybox.sh PROGRAM
# apt works with the system's sources and keys, but on lists of its own beside
# PROGRAM: neither the system's packages nor its architectures change.
set -e

work=$1.fetch
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
work=$(cd "$work" && pwd)

apt()
{
	# With the privilege to do so apt would become a user who may not write here
	apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Dir::State="$work" \
		-o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status" \
		-o Dir::Cache="$work/cache" "$@"
}

if ! { apt update && (cd "$work" && apt download busybox-static) &&
       dpkg-deb -x "$work"/busybox-static_*_arm64.deb "$work/root"; }; then
	echo "error: Debian's busybox-static for arm64 cannot be had; is there a network?" >&2
	echo "error: a static arm64 busybox from elsewhere can be put to $1" >&2
	exit 1
fi
mv "$work/root/bin/busybox" "$1"
rm -rf "$work"
