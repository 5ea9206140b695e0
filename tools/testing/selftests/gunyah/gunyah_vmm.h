/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gh-vmm as its user has it: started as a program, with what it says and what is
 * typed. One thread uses a struct vmm.
 *
 * Functions that return int return 0 or -errno.
 */
#ifndef _GUNYAH_VMM_H
#define _GUNYAH_VMM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#define VMM_MAX_ARGS	10

struct vmm {
	pid_t pid;
	int in, out;
	char text[65536];
	size_t len;
	int status;			/* 128 + signal if one ended it */
};

/* Looks for a file beside this program, then in the folder @elsewhere */
bool vmm_find(const char *name, const char *elsewhere, char *path, size_t size);
/*
 * Starts gh-vmm with arguments up to a NULL. Names of guests and of their files are
 * looked up in /guests. @limit: bytes of RLIMIT_MEMLOCK, 0 none
 */
int vmm_start(struct vmm *v, rlim_t limit, const char *const *args);
/* Reads until @text was seen, or to the end if that is NULL */
int vmm_read(struct vmm *v, const char *text);
int vmm_type(struct vmm *v, const char *text);
int vmm_end_of_input(struct vmm *v);
/* Reads to the end, waits for it */
int vmm_end(struct vmm *v);

bool ends_with(const char *text, const char *end);

#define SKIP_WITHOUT(name, elsewhere)						\
	do {									\
		char path_[PATH_MAX + 16];					\
										\
		if (!vmm_find(name, elsewhere, path_, sizeof(path_)))		\
			SKIP(return, name " is not here");			\
	} while (0)
#define SKIP_WITHOUT_VMM()	SKIP_WITHOUT("gh-vmm", "/bin")

#endif /* _GUNYAH_VMM_H */
