# SPDX-License-Identifier: GPL-2.0-only
# Builds, boots and tests the overlay; "make help" tells what there is.

KERNEL	?= 6.12
V	?= 0
JOBS	?= $(shell nproc)

lab	:= tools/testing/gunyah
build	:= $(CURDIR)/build
step	:= $(lab)/step.py

export V
export CCACHE_DIR ?= $(HOME)/.cache/gunyah-lab/ccache
# A clone at another path finds the same objects
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
# Equal sources give an equal kernel
export KBUILD_BUILD_TIMESTAMP := 1970-01-01
export KBUILD_BUILD_USER := lab
export KBUILD_BUILD_HOST := lab

ccache	:= $(if $(shell command -v ccache),ccache )
cross	:= aarch64-linux-gnu-
cc	:= $(cross)gcc
san	:= $(addprefix -,$(SAN))
# What is built for another version than 6.12, or says how that went, is kept apart
other	= $(addprefix -,$(filter-out 6.12,$(KERNEL)))
log	= $(build)/log$(other:-%=/%)
ifdef KDIR
tree	:= $(abspath $(KDIR))
override KERNEL := $(shell sed -n 's/^\(VERSION\|PATCHLEVEL\) *= *//p' $(tree)/Makefile | paste -sd.)
out	:= $(build)/kernel-$(firstword $(shell echo $(tree) | cksum))$(san)
unpacked :=
else
tree	:= $(build)/linux-$(KERNEL)
out	:= $(build)/kernel$(other)$(san)
unpacked := $(tree)/.lab-unpacked
endif
# No part of the job server of this make, which runs one step at a time
submake	= env -u MAKEFLAGS -u MAKELEVEL $(MAKE) -j$(JOBS)
# What else is installed makes no difference
kvars	:= ARCH=arm64 CROSS_COMPILE=$(cross) CC="$(ccache)$(cc)" RUSTC=false PAHOLE=false
kmake	= $(submake) -C $(tree) O=$(out) $(kvars) $(kvars-$(SAN))
# What is ours, of all the kernel's objects
objects	:= $(notdir $(patsubst %.c,%.o,$(wildcard drivers/virt/gunyah/*.c))) gunyah-msgq.o
# KCSAN's delays and its reports are for the drivers and what they call directly. Of locks it
# has to know that they order what is around them.
kvars-kcsan := KCSAN_SANITIZE=n $(patsubst %,KCSAN_SANITIZE_%=y,$(objects) mailbox.o) \
	$(patsubst %,KCSAN_INSTRUMENT_BARRIERS_%=y,spinlock.o spinlock_debug.o qspinlock.o \
	mutex.o rwsem.o workqueue.o)
kvars-coverage := $(patsubst %,GCOV_PROFILE_%=y,$(objects))
libfdt	:= $(tree)/scripts/dtc/libfdt
hypvars	:= O=$(build)/hyp LIBFDT=$(libfdt) CROSS_COMPILE=$(cross)
selftests := $(build)/selftests$(other)
root	:= $(build)/root$(other)$(san)
image	:= $(out)/arch/arm64/boot/Image
initramfs := $(build)/initramfs$(other)$(san).gz
# The same kernel, never one that is slow, and what the host has more to boot it
guest	:= $(build)/guest$(other)
guest-image := $(patsubst %$(san),%,$(out))/arch/arm64/boot/Image
initramfs-linux := $(build)/initramfs$(other)$(san)-linux.gz
initramfs-kexec := $(build)/initramfs$(other)$(san)-kexec.gz
# The kernel with KASAN can do all that suite safety asks for, some of which Linux 6.1 has not
safety	:= $(if $(filter 6.1,$(KERNEL)),,safety)
configs	:= $(if $(filter kasan,$(SAN)),$(safety)) $(SAN)
fragments := $(lab)/kernel.config $(wildcard $(lab)/$(KERNEL).config) $(configs:%=$(lab)/%.config)

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo demo-linux bench bench-all bench-exits bench-profile bench-profile-run bench-program check \
	check-all lint \
	docs kunit builds coverage mutate \
	apply unapply deps kernel modules hyp vmm selftests image image-linux image-kexec boot clean series \
	series-check
.DEFAULT_GOAL := help

#: make demo               boot a host, run a lent and a shared guest in it
#: make demo-linux         the same with a guest that is Linux; with INTERACTIVE=1 for you
#:                         to use (Ctrl-A x leaves the guest)
#: make bench              what guest memory costs: instructions, hypercalls, kernel memory; in
#:                         build/bench/NAME.json. NAME=NAME, REPEAT=2: boot twice, the counts
#:                         have to be equal; MEMORY=MIB of the machine; DOCS=1: put the figures
#:                         into the documentation. tools/testing/gunyah/bench/bench.py compare
#:                         A.json B.json: what has changed
#: make bench-profile      which functions execute these instructions, with WHAT="set start close
#:                         kind=scattered how=lend size=64M" in those phases
#: make bench-exits        instructions and hypercalls that leaving and interrupting a guest cost
#: make check              all tests; the last line tells how many passed
#: make check-all          the same, and what of it needs SAN=kasan, SAN=kcsan and KERNEL=6.1
#: make lint               static checks: checkpatch, sparse, coccicheck, dt_binding_check, ...
#: make kunit              unit tests in user-mode Linux; with ARCH=arm64 in QEMU
#: make docs               the documentation as HTML, compared with the code
#: make builds             compile the drivers for many kernels: symbols off, page sizes, other
#:                         architectures and compilers; NAMES=REGEX: only these
#: make coverage           what of the drivers do all tests run? build/coverage/index.html
#: make mutate             put faults into the drivers: do the unit tests notice each?
#: make series             the overlay as patches to send: out/series/; with KDIR=DIR,
#:                         a git tree, for that
#: make series-check       apply, check and build these patch by patch
#: make apply KDIR=DIR     put the overlay into the kernel tree DIR
#: make unapply KDIR=DIR   take it out again
#: make deps               install the Debian packages that all this needs
#: make kernel             the host's kernel, and the drivers as modules
#: make hyp                the test hypervisor
#: make image              all that is booted
#: make image-linux        the same, and a guest that is Linux
#: make boot LAB=NAME      boot it, carry out tools/testing/gunyah/lab/NAME
#: make suite-NAME         one of the suites of make check
#: make clean              remove everything that was built
#:
#: KDIR=DIR     use this kernel tree instead of Debian's linux-source
#: KERNEL=6.1   version of linux-source (default: 6.12). "make check KERNEL=6.1" is what of the
#:              tests depends on the kernel, and boots the unit tests instead of
#:              running them in user-mode Linux; so with KDIR if that is a 6.1
#: HYP=FILE     boot this Gunyah image (ELF) instead of the test hypervisor
#: POLICY=debug, CPUS=4     for make boot: of the test hypervisor; that the host sees
#: QEMU_ARGS="..."          more arguments for QEMU
#: APPEND="..."             more for the host's command line
#: SAN=kasan    use a kernel that finds more and is slower, for all that boots: with KASAN,
#:              or with SAN=kcsan KCSAN. "make check SAN=kasan" is only what of the tests
#:              needs such a kernel. SAN=16k, SAN=64k: a host with pages of this size.
#:              SAN=safety: one that sleeps, dumps core, merges pages and starts another,
#:              as the one with KASAN does, without what makes that slow.
#: NAMES=REGEX, SAMPLE=N, SEED=N   for make mutate: only the faults whose "FILE: NAME"
#:              in tools/testing/gunyah/mutations.txt matches, only N drawn at random
#: V=1          show what the steps print; it is in build/log/ in any case
help:
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

deps:
	@sh $(lab)/deps.sh $(if $(KDIR),none,$(KERNEL))

# What arm64 and UML have no use for. Kconfig files and makefiles refer to each
# other and stay. The stamp lists what a tree without the overlay has.
skip	:= arch/alpha arch/arc arch/csky arch/hexagon arch/loongarch arch/m68k arch/microblaze \
	arch/mips arch/nios2 arch/openrisc arch/parisc arch/powerpc arch/riscv arch/s390 arch/sh \
	arch/sparc arch/xtensa drivers/accel drivers/gpu drivers/infiniband drivers/media \
	drivers/net/ethernet drivers/net/wireless drivers/scsi drivers/staging sound tools/perf
$(build)/linux-%/.lab-unpacked: | deps
	@rm -rf $(@D) $(@D).new
	@mkdir -p $(@D).new
	@$(step) unpack sh -ec 'tar -xf /usr/src/linux-source-$*.tar.xz --strip-components=1 \
		-C $(@D).new --anchored $(skip:%=--exclude="linux-source-$*/%/*.[chS]"); \
		cd $(@D).new; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum \
		>$(build)/.lab-sums'
	@mv $(build)/.lab-sums $(@D).new/$(@F)
	@mv $(@D).new $(@D)

apply: deps $(unpacked)
	@$(lab)/overlay.py apply $(tree) >&2

series: deps $(unpacked)
	@$(lab)/series/series.py export out/series --tree $(tree)

series-check: deps
	@$(lab)/check.py series

suite-series suite-series-short: deps $(unpacked)
	@$(lab)/series/check.py --work $(build)/series $(if $(filter %-short,$@),--short) \
		$(tree) out/series $(kvars)

unapply:
	@$(lab)/overlay.py unapply $(tree)

$(out)/.config: $(fragments) $(lab)/kconfig.py drivers/virt/gunyah/Kconfig | apply
	@$(step) config env -u MAKEFLAGS -u MAKELEVEL $(lab)/kconfig.py $(tree) $(out) \
		$(fragments) $(kvars)
	@touch $@

kernel: apply $(out)/.config
	@$(step) kernel $(kmake) Image modules

modules: kernel

hyp: apply
	@$(step) hyp $(submake) -C $(lab)/hyp $(hypvars)

vmm: apply
	@$(step) vmm $(submake) -C tools/virt/gunyah O=$(build)/gh-vmm LIBFDT=$(libfdt) \
		CROSS_COMPILE=$(cross)

selftests: apply
	@$(step) selftests $(submake) -C $(tree)/tools/testing/selftests/gunyah \
		OUTPUT=$(selftests) LDFLAGS=-static \
		ARCH=arm64 CROSS_COMPILE=$(cross)

$(build)/init: $(lab)/init.c
	@mkdir -p $(@D)
	@$(step) init $(cc) -static -O2 -Wall -Wextra -Werror -o $@ $<

$(build)/busybox: | deps
	@mkdir -p $(@D)
	@$(step) busybox $(lab)/busybox.sh $@

tests	:= $(notdir $(basename $(wildcard tools/testing/selftests/gunyah/*_test.c))) ioctl_fuzz
# Goes with the guest that it needs
tests	:= $(filter-out linux_test,$(tests))

# What guest memory costs, and what counts the instructions
bench-out := $(build)/bench
bench-program: apply
	@$(step) bench-program $(submake) -C $(lab)/bench O=$(bench-out) LIBFDT=$(libfdt) \
		CROSS_COMPILE=$(cross)

# Linux 6.1 has it in qcom-scm.ko
tzmem	= $(if $(wildcard $(out)/drivers/firmware/qcom/qcom_tzmem.ko),,-e '/qcom_tzmem/d')
# What has nothing to look at is not run
kmemleak := $(if $(filter kasan,$(SAN)),,-e '/kmemleak_test/d')

image: kernel $(if $(HYP),,hyp) vmm selftests bench-program $(build)/init
	@rm -rf $(root)
	@mkdir -p $(root)/lab $(root)/lib/modules/lab $(root)/bin $(root)/tests $(root)/guests
	@cp $(build)/init $(root)/init
	@cp $(out)/drivers/virt/gunyah/*.ko $(out)/drivers/mailbox/gunyah-msgq*.ko \
		$$(find $(out)/drivers/firmware -name 'qcom*.ko') \
		$(root)/lib/modules/lab
	@cp $(build)/gh-vmm/gh-vmm $(selftests)/bench_exits $(bench-out)/bench $(root)/bin
	@cp $(addprefix $(selftests)/,$(tests)) $(root)/tests
	@cp $(selftests)/*.bin $(root)/guests
	@$(cross)strip $(root)/init $(root)/bin/* $(root)/tests/*
ifeq ($(SAN),coverage)
	@$(step) gcov_save $(cc) -static -O2 -Wall -Wextra -Werror -o $(root)/bin/gcov_save \
		$(lab)/gcov_save.c
endif
	@for lab in $(lab)/lab/*; do \
		sed $(tzmem) $(kmemleak) \
			-e "s|^run /tests/\*$$|$$(cd $(root) && printf 'run /%s\\n' tests/*)|" $$lab \
			>$(root)/lab/$${lab##*/} || exit 1; \
		$(if $(filter coverage,$(SAN)),sed -i -e '/^kexec/d' -e '/kexec_test leave/d' $(root)/lab/$${lab##*/} && \
			echo 'run /bin/gcov_save' >>$(root)/lab/$${lab##*/} || exit 1;) \
	done
	@$(step) initramfs $(lab)/initramfs.py $(initramfs) $(root)

# The kernel unpacks one archive after the other
image-linux: image $(build)/busybox
	@$(if $(SAN),$(MAKE) -s SAN= kernel)
	@rm -rf $(guest)
	@mkdir -p $(guest)/initramfs/bin $(guest)/root/guests $(guest)/root/tests
	@$(cross)strip -o $(guest)/root/tests/linux_test $(selftests)/linux_test
	@cp $(build)/busybox $(guest)/initramfs/bin
	@install -m 755 $(lab)/guest-init $(guest)/initramfs/init
	@cp $(guest-image) $(guest)/root/guests
	@$(step) guest $(lab)/initramfs.py $(guest)/root/guests/initramfs.gz $(guest)/initramfs
	@$(step) initramfs-linux $(lab)/initramfs.py $(guest)/root.gz $(guest)/root
	@cat $(initramfs) $(guest)/root.gz >$(initramfs-linux)

# What is booted twice: the kernel that is started by another one
image-kexec: image
	@rm -rf $(root)-kexec
	@mkdir -p $(root)-kexec/kexec
	@cp $(image) $(initramfs) $(root)-kexec/kexec
	@mv $(root)-kexec/kexec/$(notdir $(initramfs)) $(root)-kexec/kexec/initramfs.gz
	@$(step) initramfs-kexec $(lab)/initramfs.py $(root)-kexec.gz $(root)-kexec
	@cat $(initramfs) $(root)-kexec.gz >$(initramfs-kexec)

# Of the CPUs that QEMU has the usual one knows no pages of 16 KiB
boot	= $(lab)/run.py --image $(image) --initramfs $(initramfs$(with)) \
	$(if $(HYP),--hyp $(abspath $(HYP)) --gunyah,--hyp $(build)/hyp/hyp.bin) \
	$(if $(filter 16k,$(SAN)),--cpu cortex-a76) --qemu='$(QEMU_ARGS)' --append='$(APPEND)'

demo: image
	@$(boot) demo --live --policy debug --log $(log)/boot-demo.log \
		--wanted 'guest exited: PSCI system off' --wanted 'guest exited: PSCI system off'

demo-linux suite-linux: with := -linux
suite-safety: with := -kexec

demo-linux: image-linux
ifdef INTERACTIVE
	@$(boot) linux --interactive --log $(log)/boot-demo-linux.log
else
	@$(boot) linux --live $(linux-talk) --log $(log)/boot-demo-linux.log
endif

# A kernel with sanitizers takes more memory, and time
linux-talk := --talk $(lab)/linux.talk --wanted 'guest exited: PSCI system off' \
	--timeout $(if $(SAN),900,600) $(if $(SAN),--qemu='-m 1024')

# Nothing is left to chance: each time the same instructions are executed
icount	:= -icount shift=0,sleep=off -seed 1 -rtc clock=vm,base=2000-01-01 \
	-machine dtb-randomness=off
bench	= $(boot) bench --cpus 1 --append hyp.seed=1 --qemu='$(icount)' --log $(log)/boot-bench.log

bench-exits: image
	@$(bench)
	@sed -n 's/.*tap: # bench: //p' $(log)/boot-bench.log

# Counts instructions: a plugin of QEMU
insns	:= $(build)/bench/insns.so
$(insns): $(lab)/bench/insns.c $(lab)/bench/qemu_plugin.h $(lab)/hyp/layout.h | deps
	@mkdir -p $(@D)
	@$(step) insns gcc -shared -fPIC -O2 -Wall -Wextra -Werror -o $@ $<

# bench-run LAB,MIB,SECONDS,OPTIONS: boot, count, and keep the figures under NAME
bench-run = $(lab)/bench/bench.py run $4 --name $(NAME) --folder $(bench-out) --tree . \
	--config $(out)/.config --log $(log)/boot-$1.log --insns $(bench-out)/$1.insns \
	$(REPEAT:%=--repeat %) -- $(boot) $1 --cpus 1 --append hyp.seed=1 --timeout $3 \
	--log $(log)/boot-$1.log --qemu='-m $2 $(icount) \
	-plugin file=$(insns),out=$(bench-out)/$1.insns'
bench-docs := Documentation/virt/gunyah

# A kernel that does not look for mistakes meanwhile
bench: $(insns)
	@$(MAKE) -s SAN=bench bench-all

bench-all: NAME ?= latest
bench-all: image
	@$(call bench-run,memory,$(or $(MEMORY),8192),3600)
	@$(lab)/bench/bench.py check $(bench-out)/$(NAME).json
ifdef DOCS
	@$(lab)/bench/bench.py plot $(bench-out)/$(NAME).json -o $(bench-docs)/cost.svg
	@$(lab)/bench/bench.py rst $(bench-out)/$(NAME).json $(bench-docs)/memory.rst
endif

# Which functions
WHAT	?= set start close kind=scattered how=lend size=64M
bench-profile: $(insns)
	@$(MAKE) -s SAN=bench bench-profile-run

bench-profile-run: image
	@$(boot) memory-profile --cpus 1 --append hyp.seed=1 --log $(log)/boot-memory-profile.log \
		--qemu='$(icount) -plugin file=$(insns),out=$(bench-out)/profile.insns,profile=on' >&2
	@$(lab)/bench/profile.py --map $(out)/System.map $(bench-out)/profile.insns \
		$(log)/boot-memory-profile.log $(WHAT)

boot: image
	@$(boot) $(LAB) $(if $(POLICY),--policy $(POLICY)) $(if $(CPUS),--cpus $(CPUS)) \
		--log $(log)/boot-$(LAB).log

# The cheap ones first. What boots the host needs its image.
suites	:= lab lint docs model vmm fuzz kunit hyp image builds:image bare:image production:image \
	debug:image lost:image qcom:image cpus1:image cpus4:image bench:image image-linux:image \
	linux:image-linux
san-suites-16k := image kunit-booted:image production:image
san-suites-64k := $(san-suites-16k)
san-suites-kasan := image-kexec $(patsubst %,%:image-kexec,sanitizer smp qcom $(safety))
san-suites-kcsan := image sanitizer:image qcom:image
san-suites-safety := image-kexec safety:image-kexec
san-suites := $(san-suites-$(SAN))
san-kernels := kasan kcsan
# The kernel that is booted has the unit tests: to build one more takes long
suites-6.1 := overlay image builds:image kunit-booted:image production:image debug:image lost:image \
	cpus1:image cpus4:image image-linux:image linux:image-linux

# With all of memory at stake, which takes a kernel of its own; check-all has it with KASAN
suites-safety := $(if $(HYP),,safety/image-kexec safety/safety:safety/image-kexec)
check: deps
	@$(lab)/check.py $(if $(SAN),$(san-suites),$(or $(suites-$(KERNEL)),$(suites) $(suites-safety)))

check-all: deps
	@sh $(lab)/deps.sh 6.1
	@$(lab)/check.py $(suites) series-short \
		$(foreach s,$(san-kernels),$(foreach t,$(san-suites-$s),$s/$(subst :,:$s/,$t))) \
		$(foreach s,$(suites-6.1),6.1/$(subst :,:6.1/,$s))

.PHONY: $(foreach s,$(suites) $(san-suites) $(suites-6.1),suite-$(firstword $(subst :, ,$s)))

suite-lab: apply $(insns)
	@$(lab)/test_judge.py
	@$(lab)/test_overlay.py $(tree)
	@$(lab)/mutate.py --check
	@$(lab)/test_docs.py $(tree)
	@$(lab)/syzkaller/check.py
	@$(lab)/series/test_series.py
	@$(lab)/bench/test_insns.py $(insns)
	@$(lab)/bench/test_profile.py
	@$(lab)/bench/test_bench.py

lint: deps
	@$(lab)/check.py lint

suite-lint: apply
	@env -u MAKEFLAGS -u MAKELEVEL $(lab)/lint/lint.py $(tree) $(build)/lint $(kvars)
	@env -u MAKEFLAGS -u MAKELEVEL $(lab)/lint/test_lint.py $(tree) $(build)/lint $(kvars)

suite-overlay: apply
	@$(lab)/test_overlay.py $(tree)

suite-image suite-image-linux suite-image-kexec: suite-%:
	@$(MAKE) -s $* >&2 && echo 'ok 1 - built' && echo 1..1

suite-builds: apply
	@env -u MAKEFLAGS -u MAKELEVEL $(lab)/builds.py $(tree) $(out)-builds $(out) \
		'$(or $(NAMES),$(if $(suites-$(KERNEL)),^arm64(-clang)?:))'

docs: deps
	@$(lab)/check.py docs
	@echo "the pages: $(build:$(CURDIR)/%=%)/docs/html/virt/gunyah/index.html"

# Warnings are errors; the kernel tree is only read
suite-docs: apply
	@$(lab)/docs.py $(tree) $(build)/docs $(kvars)

suite-model: apply
	@$(submake) -s -C $(lab)/model O=$(build)/model LIBFDT=$(libfdt) check

suite-vmm: apply
	@$(submake) -s -C $(lab)/vmm O=$(build)/vmm LIBFDT=$(libfdt) check

suite-fuzz: apply
	@$(submake) -s -C $(lab)/fuzz O=$(build)/fuzz KDIR=$(tree) check

suite-hyp: apply
	@$(submake) -s -C $(lab)/hyp $(hypvars) check

# What calls the kernel's own tool has no part of the job server of this make
kunit	:= env -u MAKEFLAGS -u MAKELEVEL $(tree)/tools/testing/kunit/kunit.py
kunit-arm64 := $(filter arm64,$(ARCH))
kunit-out := $(build)/kunit$(if $(kunit-arm64),-arm64)
kunit-args := --build_dir $(kunit-out) $(if $(kunit-arm64),--arch arm64 --cross_compile $(cross))

kunit: deps
	@$(lab)/check.py kunit

builds: deps
	@$(lab)/check.py image builds:image

suite-kunit: apply
	@$(step) kunit $(kunit) build $(kunit-args) --jobs $(JOBS) \
		--kunitconfig $(CURDIR)/drivers/virt/gunyah/.kunitconfig \
		--make_options 'CC=$(ccache)$(if $(kunit-arm64),$(cc),gcc)'
	@$(lab)/kunit.py $(kunit-out) $(kunit) exec $(kunit-args) --timeout 300 \
		--kernel_args 'trace_event=gunyah:*'

# Blocks of memory in the tests are so many pages, not bytes. With icount a busy machine is
# not seen: what waits for 20 ms has so many instructions to wait for.
kunit-booted := --bare --append kunit.enable=1 --wanted '\# gunyah_vm_mgr_state: pass:' \
	--wanted '\# gunyah_vcpu: pass:' --wanted '\# gunyah_qcom: pass:'
suite-kunit-booted:
	@$(boot) kunit --name kunit$(other)$(san) $(kunit-booted) --timeout 400 \
		--qemu='-m 4096 $(if $(other),$(icount))' --log $(log)/boot-kunit$(san).log

# In a copy of the tree
mutate: apply
	@env -u MAKEFLAGS -u MAKELEVEL $(lab)/mutate.py $(tree) $(build)/mutate --jobs $(JOBS) \
		--cc '$(ccache)gcc' --names '$(NAMES)' $(SAMPLE:%=--sample %) $(SEED:%=--seed %)

# No hypervisor there: the modules have to be silent
suite-bare:
	@$(boot) bare --bare --log $(log)/boot-bare.log

suite-production:
	@$(boot) selftest --name production --timeout 900 --log $(log)/boot-production.log

suite-debug:
	@$(boot) policy --name debug --policy debug --append hyp.node=binding \
		--log $(log)/boot-debug.log

suite-bench: NAME := quick
suite-bench: REPEAT := 2
suite-bench: $(insns)
	@$(bench)
	@$(call bench-run,memory-quick,512,300,--tap)
	@$(lab)/bench/bench.py check --tap $(bench-out)/quick.json

suite-lost:
	@$(boot) lost --log $(log)/boot-lost.log

suite-qcom:
	@$(boot) qcom$(if $(san),-san --name qcom) --policy debug --append hyp.qcom=1 \
		$(if $(san),--timeout 700) $(san-boot-$(SAN)) \
		--log $(log)/boot-qcom$(san).log

# Memory that pages have to be moved out of to be lent, and another node to move them to. No
# ITS: without EFI the next kernel does not know that the tables of the last one are in use.
movable	:= --append 'movablecore=$(if $(filter kasan,$(SAN)),256M,128M) numa=fake=2'
suite-safety:
	@$(boot) safety $(movable) \
		--qemu='-machine its=off $(if $(filter kasan,$(SAN)),-m 1024)' --timeout 700 \
		--wanted 'no hibernation: 1 VMs' --wanted 'Starting new kernel' \
		--wanted 'were not given back' --log $(log)/boot-safety$(san).log

suite-smp:
	@$(boot) smp --cpus 4 --timeout 700 $(san-boot-$(SAN)) --log $(log)/boot-smp.log

suite-linux:
	@$(boot) linux-test --name linux $(linux-talk) --log $(log)/boot-linux$(san).log

# KCSAN has more to see when more CPUs take part
suite-sanitizer:
	@$(boot) $(SAN) --timeout 1700 $(san-boot-$(SAN)) --log $(log)/boot-$(SAN).log
san-boot-kasan := --qemu='-m 1024'
san-boot-kcsan := --cpus 3

suite-cpus1 suite-cpus4: suite-cpus%:
	@$(boot) lifecycle --name cpus$* --cpus $* --log $(log)/boot-cpus$*.log

# Each boot leaves its counters; the unit tests run when the modules are loaded. What is
# left to the next kernel, by kexec, would leave none.
cov	:= $(build)/coverage
coverage: deps
	@rm -rf $(cov)
	@$(MAKE) -s SAN=coverage coverage-suites

cov-share := -device virtio-9p-device,fsdev=gcov,mount_tag=gcov -fsdev \
	local,id=gcov,security_model=mapped-xattr
coverage-boots := kunit selftest policy lost qcom safety
cov-args-kunit := $(kunit-booted)
cov-args-policy := --policy debug --append hyp.node=binding
cov-args-qcom := --policy debug --append hyp.qcom=1
cov-args-safety := $(movable) --wanted 'no hibernation: 1 VMs'
coverage-suites:
	@$(lab)/check.py image $(coverage-boots:%=coverage-%:image) coverage
	@echo "the report: $(cov:$(CURDIR)/%=%)/report/index.html, coverage.txt"

suite-coverage-%:
	@mkdir -p $(cov)/counters/$*
	@$(boot) $* --name coverage-$* --timeout 900 $(cov-args-$*) \
		--qemu='$(cov-share),path=$(cov)/counters/$*' --log $(log)/boot-coverage-$*.log

suite-coverage:
	@$(lab)/coverage.py $(out) $(cov)/counters $(cov)/report Documentation/virt/gunyah/testing.rst

clean:
	rm -rf $(build) out
