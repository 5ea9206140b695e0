/* SPDX-License-Identifier: GPL-2.0-only */
/* The limits that libfdt asks for. */
#ifndef _LIMITS_H
#define _LIMITS_H

#define INT_MAX		__INT_MAX__
#define UINT_MAX	(INT_MAX * 2U + 1)

#endif /* _LIMITS_H */
