#!/bin/sh
# Stands before rustc where tests are built with coverage counters.
#
# rustc counts with atomic instructions, under which a loop of multiply-adds is seven to ten times slower, and which
# cannot leave it. In kernels the counters may be plain numbers, added up in registers: nothing that kernels share is
# written by two threads. Two tests that run the same loop at once may then count it as one; none counts as never run.
plain='function(lower-atomic,loop-simplify,lcssa,loop-mssa(licm))'
case " $* " in
*" crates/trueno-kernels/"*) exec "$@" -C "passes=$plain" ;;
*) exec "$@" ;;
esac
