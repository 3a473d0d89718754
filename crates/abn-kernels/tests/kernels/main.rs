//! The kernels against plain loops in double precision, in every instruction set of the machine.

mod conv;
mod reference;
