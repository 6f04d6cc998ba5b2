function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
if (fib(32) != 2178309) throw "fib(32)";
