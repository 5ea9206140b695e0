#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh hyp.bin host.bin: boots the test host on several machines. Each must end
# its own TAP with all of the plan done and without a failure, or die as it is
# meant to. Prints TAP with one result per boot, and the console where it failed.

hyp=$1
host=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
number=0

# boot CPU CPUS APPEND MIB
boot()
{
	timeout 300 "${QEMU:-qemu-system-aarch64}" -nodefaults -no-reboot \
		-machine virt,virtualization=on,gic-version=3 -cpu "$1" -smp "$2" -m "$4" \
		-display none -serial stdio -kernel "$hyp" \
		-device loader,file="$host",addr=0x41000000,force-raw=on \
		-append "$3" </dev/null >"$log.cr" 2>&1
	ret=$?
	tr -d '\r' <"$log.cr" >"$log"
	rm -f "$log.cr"
}

result()
{
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		sed 's/^/# /' "$log"
		echo "not ok $number - $2"
		status=1
	fi
}

tap()
{
	boot "$1" "$2" "$3" "${4:-256}"
	good=$(grep -c '^ok ' "$log")
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log")
	[ "$ret" = 0 ] && [ "$good" = "$plan" ] && ! grep -q '^not ok \|hyp: PANIC' "$log"
	result $? "$1, $2 CPUs${4:+, $4 MiB}, $3: $good of ${plan:-?} checks"
	sed -n 's/^#  */# /p' "$log"
}

# What kills the resource manager is named in a panic.
dies()
{
	boot cortex-a57 2 "test.die=$1" 256
	[ "$ret" = 0 ] && grep -q "^hyp: PANIC: .*$2" "$log"
	result $? "panic for $2"
}

tap cortex-a57 2 hyp.policy=production
tap cortex-a57 3 hyp.policy=debug
tap max 3 "hyp.policy=production hyp.seed=1"
tap max 5 hyp.policy=debug
tap cortex-a57 2 hyp.policy=production "${MIB:-4096}"
tap max 2 "hyp.policy=production hyp.qcom=1"
dies dealloc VM_DEALLOCATE
dies reset VM_RESET
dies stop VM_STOP
echo "1..$number"
exit $status
