#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Compile the drivers as built in, with more warnings, and report in TAP:
# builtin.sh TREE OUT [VAR=VALUE]...; the variables are for the kernel's make.
set -u

tree=$1 out=$2
shift 2
lab=$(dirname "$0")
log=build/log/builtin.log
mkdir -p "$out" build/log

echo "TAP version 13"
echo "1..2"

# What is up to date would not warn again
rm -f "$out"/drivers/virt/gunyah/*.o "$out/drivers/mailbox/gunyah-msgq.o"

result=ok
sed 's/^\(CONFIG_GUNYAH[A-Z_]*\)=m/\1=y/' "$lab/kernel.config" >"$out/builtin.config"
if ! { "$lab/kconfig.py" "$tree" "$out" "$out/builtin.config" "$@" &&
       make -C "$tree" O="$out" "$@" W=1 -j"$(nproc)" drivers/virt/gunyah/ \
		drivers/mailbox/gunyah-msgq.o; } >"$log" 2>&1; then
	result="not ok"
	tail -n 20 "$log" | sed 's/^/# /'
fi
echo "$result 1 - drivers compile as built in"

# Those of the kernel's own files are none of our business
if grep -i 'gunyah.*warning:' "$log" | sed 's/^/# /' | grep .; then
	result="not ok"
fi
echo "$result 2 - no warnings with W=1"
