// SPDX-License-Identifier: Apache-2.0

// Package livelock gives what tries the live kernel its turn: the tests of several
// packages, and the benchmark. There is one kernel, so only one of them has it at a
// time, and it is as before when the next one has it, also where one was killed.
//
// [Wait] is enough for who only listens. Who changes the audit system has a [Turn] by
// [Take]: it puts right what a killed one left, and notes how the kernel was. No part of
// the product imports this package.
package livelock
