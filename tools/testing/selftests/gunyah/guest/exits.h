/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest of bench_exits accesses in turn, for ever; none of it is memory */
#ifndef _GUNYAH_EXITS_H
#define _GUNYAH_EXITS_H

#define EXITS_COUNT	1000		/* accesses to each but the last */
#define EXITS_WRITE	0x10000000
#define EXITS_READ	0x10001000
#define EXITS_KICK	0x10002000	/* a write */
#define EXITS_DONE	0x10003000	/* one write */

#endif /* _GUNYAH_EXITS_H */
