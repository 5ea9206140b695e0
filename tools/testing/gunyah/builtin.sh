#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Compile the drivers as built in, with more warnings, and report in TAP:
# builtin.sh TREE OUT JOBS CC
set -u

tree=$1 out=$2 jobs=$3 cc=$4
lab=$(dirname "$0")
log=build/log/builtin.log
mkdir -p "$out" build/log

echo "TAP version 13"
echo "1..2"

result=ok
sed 's/^CONFIG_GUNYAH=m/CONFIG_GUNYAH=y/' "$lab/kernel.config" >"$out/builtin.config"
if ! { "$lab/kconfig.py" "$tree" "$out" "$out/builtin.config" &&
       make -C "$tree" O="$out" CC="$cc" W=1 -j"$jobs" drivers/virt/gunyah/ \
		drivers/mailbox/gunyah-msgq.o; } >"$log" 2>&1; then
	result="not ok"
	tail -n 20 "$log" | sed 's/^/# /'
fi
echo "$result 1 - drivers compile as built in"

# Those of the kernel's own files are none of our business
result=ok
if grep -i 'gunyah.*warning:' "$log" | sed 's/^/# /' | grep .; then
	result="not ok"
fi
echo "$result 2 - no warnings with W=1"
