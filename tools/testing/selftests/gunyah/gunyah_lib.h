/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of /dev/gunyah have in common, apart from the harness */
#ifndef _GUNYAH_LIB_H
#define _GUNYAH_LIB_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gh_guest.h"
#include "lab_ctl.h"
#include "guest/test_page.h"

/* Limit of every wait for an event; slow debug kernels under emulation fit in */
#define EVENT_MS	60000
/* Each page costs time with a debug kernel */
#define IMAGE_SIZE	0x80000
#define SMALL_IMAGE	0x40000
#define RWX		(GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC)
#define RW		(GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE)

size_t page_size(void);
uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

#define MAX_EXITS	64

/* A vCPU that a test runs: its file, the page that the file maps, and what it did */
struct vcpu {
	int fd;
	struct gh_vcpu_run *run;
	unsigned int n_exits;		/* exits for MMIO that vcpu_serve() has seen */
	struct gh_vcpu_run exits[MAX_EXITS];
};

/*
 * A guest with its image memory, a console and a test page. Zero is a guest
 * that has nothing, guest_free() leaves that.
 */
struct guest {
	bool has_vm;
	int vm;
	unsigned int n_vcpus;		/* 0: the hypervisor schedules its one */
	struct vcpu vcpu[GH_MAX_VCPUS];
	const struct gh_bell *bells;
	unsigned int n_bells;
	struct gh_mem image;
	struct gh_mem console_mem;
	struct gh_mem page_mem;
	struct test_page *page;
	struct gh_console_reader console;
	uint64_t dtb_offset;		/* in the image memory */
	uint64_t dtb_space;
	char text[32768];		/* what the guest wrote, ends with 0 */
	size_t text_len;
};

enum guest_flags {
	GUEST_SHARE		= 1,	/* share the image memory, do not lend it */
	GUEST_READ_ONLY_PAGE	= 2,	/* no write access to the test page */
};

/*
 * Memory of @n pages, of which few are neighbours: every other one of a file. From some
 * number on it takes more than one message to lend it.
 */
int mem_alloc_fragments(struct gh_mem *mem, size_t n);

/* Memory with payload and devicetree in it; @image: memory to use, or NULL */
int guest_alloc(struct guest *g, const char *payload, const struct gh_mem *image);
/*
 * Image memory only, as small as it can be: quick, and one parcel. @payload: one that
 * uses no memory beside its own, or NULL for one that waits for ever.
 */
int guest_alloc_bare(struct guest *g, const char *payload);
/*
 * guest_alloc() for a guest of which the test runs @n_vcpus vCPUs. guest_setup() adds
 * them. @bells: its doorbells, or NULL
 */
int guest_alloc_vcpus(struct guest *g, const char *payload, unsigned int n_vcpus,
		      const struct gh_bell *bells, unsigned int n_bells);
/* Payload and devicetree into the memory that another guest has had */
int guest_load(struct guest *g, const char *payload);
/* Creates the VM and tells it everything up to START */
int guest_setup(struct guest *g, int gunyah, unsigned int flags);
/* guest_alloc() of the usual size, guest_setup() and GH_VM_START */
int guest_run(struct guest *g, int gunyah, const char *payload, unsigned int flags);
/* Waits until poll() reports the end, and collects what the guest writes */
int guest_wait(struct guest *g);
/* Collects what is there */
void guest_read_console(struct guest *g);
/* Waits until the guest has written @text. 0 or -errno */
int guest_wait_text(struct guest *g, const char *text);
/* Waits until a guest that counts has counted on by @more. 0 or -errno */
int guest_wait_count(struct guest *g, uint64_t more);
/* Closes the VM and its vCPUs, and keeps the memory */
void guest_close(struct guest *g);
void guest_free(struct guest *g);
/* guest_run(), guest_wait(), exit information into @info, guest_free() */
int guest_cycle(struct guest *g, int gunyah, const char *payload, struct gh_vm_exit_info *info);

/* guest_alloc_vcpus() without doorbells, guest_setup() and GH_VM_START */
int guest_run_vcpus(struct guest *g, int gunyah, const char *payload, unsigned int n_vcpus);

/* GH_VM_ADD_FUNCTION or GH_VM_REMOVE_FUNCTION as it is. What it returns, or -errno */
int function(int vm, unsigned long cmd, uint32_t type, const void *arg, uint32_t size);
int remove_vcpu(int vm, uint32_t id);
int remove_irqfd(int vm, int fd, uint32_t label);
int remove_ioeventfd(int vm, int fd, uint64_t addr, uint32_t flags, uint64_t datamatch);

/* Adds a vCPU and maps its page. 0 or -errno */
int vcpu_add(struct vcpu *vcpu, int vm, uint32_t id);
/* Unmaps and closes what is there */
void vcpu_free(struct vcpu *vcpu);
/* GH_VCPU_RUN. 0 or -errno */
int vcpu_run(struct vcpu *vcpu);
/*
 * GH_VCPU_RUN until the VM has ended, which gives 0, or something else happens. After an
 * interrupted call it is called again.
 */
int vcpu_run_to_end(struct vcpu *vcpu);
/*
 * The same, but exits for MMIO are recorded, and what the guest reads is the address.
 * immediate_exit is cleared, as VMMs do.
 */
int vcpu_serve(struct vcpu *vcpu);
/* So many exits there have been, for who is not the thread that serves */
unsigned int vcpu_exits(const struct vcpu *vcpu);
/* Has GH_VCPU_RUN said that the VM ended in this way, as GH_VM_STATUS_EXITED? */
bool vcpu_says_ended(const struct vcpu *vcpu, uint16_t exit_type);

/* A thread that runs a vCPU */
struct vcpu_thread {
	struct vcpu *vcpu;
	int (*run)(struct vcpu *vcpu);
	pthread_t thread;
	pid_t tid;
	sem_t begun;
	int ret;			/* once joined */
};

/* @run: vcpu_run(), vcpu_run_to_end() or the like. Returns when the thread is there. */
int vcpu_thread_start(struct vcpu_thread *t, struct vcpu *vcpu, int (*run)(struct vcpu *vcpu));
/* Waits for the thread. What @run returned */
int vcpu_thread_join(struct vcpu_thread *t);

/* Has the guest "hands" do something, and waits until it has. 0 or -errno */
int guest_order(struct guest *g, uint64_t what, uint64_t addr, uint64_t size, uint64_t value,
		uint64_t times);
/* The same, but does not wait */
void guest_order_begin(struct guest *g, uint64_t what, uint64_t addr, uint64_t size,
		       uint64_t value, uint64_t times);
int guest_order_end(struct guest *g);
/* Waits until it has taken so many interrupts, of SPI @spi. 0 or -errno */
int guest_wait_irq(struct guest *g, unsigned int spi, uint64_t count);

/* The device of the guest "echo": answers, and knows what has to come next */
struct echo {
	uint64_t round;
	bool writing;			/* the guest is to write what it has read */
	uint64_t answer;
	uint64_t sum;			/* that the guest has to come to */
};

#define ECHO_BASE	0x2000000	/* where only devices can be */

/* What the guest is to do. To be called before it runs */
void echo_init(struct guest *g, struct echo *echo, uint64_t rounds, uint64_t pause);
/* For an exit for MMIO. NULL, or what is wrong with it */
const char *echo_exit(struct echo *echo, struct gh_vcpu_run *run);
/* At the end: has the guest seen what it was answered? */
bool echo_is_complete(const struct echo *echo, const struct guest *g);

/* A file over a connected socket. 0 or -errno; the descriptor or -1 */
int send_fd(int sock, int fd);
int receive_fd(int sock);

/*
 * Waits until a thread sleeps in a system call, of which the number is @nr. False if
 * it does not within EVENT_MS.
 */
bool asleep_in(pid_t tid, long nr);

/* Events of a VM file right now */
int vm_events(int vm);
/* The value of @key in the fdinfo of @fd; "" if there is none */
const char *fdinfo(int fd, const char *key);

/* Reads or writes at @addr; false if that gave SIGBUS */
bool can_read(const volatile void *addr);
bool can_write(volatile void *addr);

/* /dev/gunyah, as soon as it is there */
int open_soon(void);
/* Take the resource manager's device from its driver, and give it back */
int driver_unbind(void);
int driver_bind(void);

/* Has the process CAP_IPC_LOCK, with which RLIMIT_MEMLOCK does not count? 0 or -errno */
int set_ipc_lock(bool on);

/* Small files of proc, sysfs and debugfs. Contents are cut at @size. */
int read_text(const char *path, char *text, size_t size);
int write_text(const char *path, const char *text);
/* The number behind @key in a file of "key value" lines, -1 if there is none */
long read_value(const char *path, const char *key);

#define DEBUGFS	"/sys/kernel/debug/gunyah/"
/* Pages in the quarantine of the driver */
long quarantine_pages(void);
/* The deadline of calls of the resource manager, in milliseconds */
int get_call_timeout(void);
int set_call_timeout(unsigned int ms);

/* The control page of the test hypervisor. Absent elsewhere: skip. */
bool ctl_present(void);
uint32_t ctl_read(unsigned int reg);
void ctl_write(unsigned int reg, uint32_t value);
/* True if there is a policy to know and it is production */
bool ctl_is_production(void);
/* False if the hypervisor refused the rule */
bool fault_add(uint32_t msg, uint32_t action, uint32_t arg, uint32_t skip, uint32_t count);
/* Removes the rules for TrustZone as well */
void fault_clear(void);
#define FAULT_ALWAYS	0xffffffff

/* A result of a hypercall; lab_ctl.h says what is what. Zero is a rule for vCPU 0. */
struct call_rule {
	uint32_t call;			/* CALL_* */
	uint32_t vcpu;
	uint32_t after;
	uint32_t skip;
	uint32_t count;
	int32_t error;			/* ERROR_* or 0: */
	uint32_t state;			/* VCPU_* */
	uint64_t data[3];
};

/* False if the hypervisor refused the rule */
bool call_rule_add(const struct call_rule *rule);
void call_rules_clear(void);

#define CALL_BELL_SEND		0x12
#define CALL_BELL_SET_MASK	0x15
#define CALL_VCPU_RUN		0x65

#define ERROR_RETRY		-2
#define ERROR_BUSY		31
#define ERROR_OBJECT_STATE	33

#define VCPU_READY		0
#define VCPU_EXPECTS_WAKEUP	1
#define VCPU_POWERED_OFF	2
#define VCPU_BLOCKED		3
#define VCPU_VMMIO_READ		4
#define VCPU_VMMIO_WRITE	5
#define VCPU_FAULT		6
#define VCPU_SYSTEM_RESET	0x100

/* Messages of the resource manager that faults are for */
#define RM_MEM_LEND		0x51000012
#define RM_MEM_SHARE		0x51000013
#define RM_MEM_RECLAIM		0x51000015
#define RM_MEM_APPEND		0x51000018
#define RM_VM_ALLOCATE		0x56000001
#define RM_VM_DEALLOCATE	0x56000002
#define RM_VM_START		0x56000004
#define RM_VM_STOP		0x56000005
#define RM_VM_RESET		0x56000006
#define RM_VM_CONFIG_IMAGE	0x56000009
#define RM_VM_INIT		0x5600000b
#define RM_VM_GET_STATE		0x56000017
#define RM_VM_GET_HYP_RESOURCES	0x56000020
#define RM_VM_GET_VMID		0x56000024
#define RM_MEM_RELEASED		0x51100012
#define RM_VM_EXITED		0x56100001
#define RM_VM_STATUS		0x56100008

/* All that a guest takes from the host; what cannot be known here is 0 */
struct resources {
	long vmids;			/* of the resource manager */
	long rm_parcels;		/* likewise */
	long lent_pages;		/* likewise */
	long guests;			/* likewise */
	long away;			/* pages that TrustZone has assigned to others */
	long parcels;			/* by the driver's own count */
	long listed;			/* regions in quarantine */
	long quarantined;		/* pages of these */
	long pins;			/* pages pinned in the whole kernel */
	long module_refs;
};

void resources_read(struct resources *r);
/* By how much everything is more than it was */
void resources_more(const struct resources *before, struct resources *more);
void resources_add(struct resources *r, const struct resources *more);
/*
 * Waits until the host has again what it had. Returns NULL, or text that says
 * what is missing.
 */
const char *resources_missing(const struct resources *before);

#endif /* _GUNYAH_LIB_H */
