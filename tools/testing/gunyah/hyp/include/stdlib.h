/* SPDX-License-Identifier: GPL-2.0-only */
/* libfdt includes <stdlib.h>; nothing of it that is linked here needs anything in it. */
#ifndef _STDLIB_H
#define _STDLIB_H

#include <stddef.h>

#endif /* _STDLIB_H */
