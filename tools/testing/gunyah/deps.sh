#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install the Debian packages that the lab needs: deps.sh KERNEL
# KERNEL is the version of the linux-source package, or "none". Without the
# privilege to install it says what to do and fails.
set -e

need="make gcc libc6-dev bc bison flex perl python3 python3-sphinx xz-utils device-tree-compiler
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm
	gcc-arm-linux-gnueabihf libc6-dev-armhf-cross clang libclang-rt-dev gcovr git
	python3-ply python3-git sparse coccinelle dt-schema yamllint codespell shellcheck
	pyflakes3 gnuplot-nox"
# Saves time, is installed when something is installed anyway
want="ccache"

if [ "$1" != none ]; then
	need="$need linux-source-$1"
fi

missing()
{
	for package; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed)
			;;
		*)
			printf ' %s' "$package"
			;;
		esac
	done
}

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system, its packages would be:" "$need $want" >&2
	exit 1
fi
# shellcheck disable=SC2086 # these are lists
lacking=$(missing $need)
if [ -z "$lacking" ]; then
	exit 0
fi
# shellcheck disable=SC2086
lacking="$lacking$(missing $want)"
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: packages are missing, install them with" >&2
	echo "  apt-get install --no-install-recommends$lacking" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
install="apt-get install -y -q --no-install-recommends $lacking"
$install || { apt-get update -q && $install; }
