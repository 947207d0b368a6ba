// What AssemblyScript calls its own number types; tsc sees them as numbers (src/kernel is compiled by both).
type i32 = number;
type f64 = number;
