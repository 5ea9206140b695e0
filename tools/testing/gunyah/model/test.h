/* SPDX-License-Identifier: GPL-2.0-only */
/* The tests of the resource manager model, see main.c */
#ifndef _MODEL_TEST_H
#define _MODEL_TEST_H

#include "tap.h"

void rm_model_tests(void);
/* @dts: directory of guest.dtsi, @scratch: directory for what dtc makes of it */
void rm_dtb_tests(const char *dts, const char *scratch);
/* Replays the recording as one test */
void replay(const char *path);

#endif /* _MODEL_TEST_H */
